// Changes of tokens: create, rotate, revoke. A secret is shown once.

import { call } from '../api.js';
import { ask, field, select, showSecret } from '../dialog.js';
import { element } from '../element.js';
import { rowButton } from '../parts.js';
import { session } from '../session.js';

const LIVES = [
  ['1d', '1 day'],
  ['30d', '30 days'],
  ['90d', '90 days'],
  ['365d', '1 year'],
  ['never', 'for ever'],
];
const OVERLAPS = [
  ['0s', 'at once'],
  ['1h', 'after an hour'],
  ['24h', 'after a day'],
];

/** The buttons for a token in its present state. */
export function actions(token, changed) {
  const button = (text, action) => rowButton(text, () => action(token, changed));
  const canRotate =
    token.state === 'active' &&
    !token.client_certificate &&
    !token.parent &&
    token.scopes.every((scope) => session()?.scopes.includes(scope));
  const buttons = [canRotate && button('Rotate', rotate), token.state !== 'revoked' && button('Revoke', revoke)];
  return element('span', { class: 'row-actions' }, buttons);
}

/** Asks for a token's name, scopes and life, makes it, and shows its secret. */
export function create(changed) {
  const scopes = element(
    'fieldset',
    { class: 'field' },
    element('legend', {}, 'Scopes'),
    session().scopes.map((scope) =>
      element(
        'label',
        { class: 'check' },
        element('input', { type: 'checkbox', name: 'scope', value: scope, checked: scope === 'read' }),
        ` ${scope}`,
      ),
    ),
  );
  ask({
    title: 'Create a token',
    fields: [
      field('Name', element('input', { name: 'name', maxlength: 100, required: true, autocomplete: 'off' })),
      scopes,
      field('It can be used for', select('expires_in', LIVES, '90d')),
    ],
    label: 'Create',
    perform: async ({ name, expires_in }, form) => {
      const chosen = new FormData(form).getAll('scope');
      if (chosen.length === 0) throw new Error('Choose one scope at least.');
      const { secret } = await call('v1/tokens', { method: 'POST', body: { name, scopes: chosen, expires_in } });
      shown('The new token', secret);
      changed();
    },
  });
}

function rotate(token, changed) {
  ask({
    title: 'Rotate the token?',
    text: 'It gets another secret. Until when the old one can be used is chosen here.',
    fields: [
      field('The old secret ends', select('overlap', OVERLAPS, '24h')),
      field('The token can be used for', select('expires_in', LIVES, '90d')),
    ],
    label: 'Rotate',
    perform: async (values) => {
      const { secret } = await call(`v1/tokens/${token.id}/rotate`, { method: 'POST', body: values });
      shown('The new secret', secret);
      changed();
    },
  });
}

function revoke(token, changed) {
  ask({
    title: token.parent ? 'End the session?' : 'Revoke the token?',
    text: token.parent
      ? 'Its browser must sign in again.'
      : 'It cannot be used any more, which cannot be undone. Sessions that were begun with it end.',
    typed: token.id,
    label: 'Revoke',
    isDangerous: true,
    done: token.parent ? 'The session is ended.' : 'The token is revoked.',
    perform: async () => {
      await call(`v1/tokens/${token.id}`, { method: 'DELETE' });
      changed();
    },
  });
}

/** The dialog that asked closes first. */
function shown(title, secret) {
  setTimeout(() => showSecret({ title, text: 'This is shown once. Copy it now.', secret }));
}
