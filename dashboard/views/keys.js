// Keys, in the order of use, and what may be done to them.

import { call } from '../api.js';
import { element, foreign, link, time } from '../element.js';
import { UNKNOWN, count } from '../format.js';
import { badge, choice, facts, headingButton, keyLink } from '../parts.js';
import { keepFresh } from '../refresh.js';
import { may } from '../session.js';
import { table } from '../table.js';
import { fairness } from './fairness.js';
import { actions, generate } from './key_changes.js';
import { nextPage } from './paging.js';

export const title = 'Keys';
export const scope = 'read';

const STATES = [
  ['', 'All'],
  ['active', 'Active'],
  ['disabled', 'Disabled'],
  ['suspended', 'Suspended'],
  ['retired', 'Retired'],
];

export function open(page, { query, signal }) {
  const fingerprint = query.get('fingerprint');
  if (fingerprint) return openOne(page, fingerprint, signal);
  const [state, after] = [query.get('state') ?? '', query.get('after')];
  const more = nextPage('keys', query);
  let refresh = () => {};
  const list = table({
    label: 'Keys in the order of use',
    columns: columns(() => refresh()),
    key: ({ id }) => id,
    empty: 'There are no such keys.',
  });
  page.append(choice({ label: 'State', view: 'keys', parameter: 'state', options: STATES, chosen: state }));
  if (may('operate')) headingButton(page, 'Generate keys', () => generate(() => refresh()));
  const load = async () => {
    const { keys, next } = await call('v1/keys', { query: { state, after, limit: 100 }, signal });
    list.update(compared(keys, !after));
    more.update(next);
  };
  refresh = keepFresh(load, page, signal);
  page.append(list.node, more.node);
}

/** The keys with what only a comparison shows: which one is next, and how far each is from the mean of the active ones. */
function compared(keys, isFirstPage) {
  const active = keys.filter(({ state, barred }) => state === 'active' && !barred);
  const mean = active.reduce((sum, { signatures }) => sum + signatures, 0) / Math.max(1, active.length);
  const deviation = ({ signatures }) => (mean > 0 ? signatures / mean - 1 : 0);
  const widest = Math.max(0.1, ...active.map((key) => Math.abs(deviation(key))));
  const next = isFirstPage ? (active.find(({ leased_batch: batch }) => !batch) ?? active[0]) : undefined;
  return keys.map((key) => ({
    ...key,
    isNext: key === next,
    fairness: active.includes(key) && active.length > 1 ? { deviation: deviation(key), widest } : null,
  }));
}

function columns(changed) {
  return [
    {
      label: 'Key',
      isTight: true,
      value: ({ isNext }) => isNext,
      render: ({ fingerprint, isNext }) =>
        element('span', {}, keyLink(fingerprint), isNext && element('span', { class: 'state next' }, 'next')),
    },
    { label: 'Id', value: ({ id }) => id, isNumber: true },
    { label: 'State', value: stateOf, render: badgeOf },
    { label: 'Bits', value: ({ bits }) => String(bits), isNumber: true },
    { label: 'Custody', value: ({ custody }) => custody, render: ({ custody }) => foreign(custody) },
    { label: 'Signatures', value: signaturesOf, isNumber: true },
    {
      label: 'From the mean',
      value: ({ fairness: share }) => JSON.stringify(share),
      render: ({ fairness: share }) => fairness(share),
    },
    {
      label: 'Batch',
      isNumber: true,
      value: ({ leased_batch: batch }) => batch ?? '',
      render: ({ leased_batch: batch }) => (batch ? link('batches', { id: batch }, batch) : UNKNOWN),
    },
    {
      label: 'Reason',
      isWide: true,
      value: ({ reason }) => reason ?? '',
      render: ({ reason }) => (reason ? foreign(reason) : UNKNOWN),
    },
    ...(may('operate')
      ? [{ label: 'Change', isTight: true, value: ({ state }) => state, render: (key) => actions(key, changed) }]
      : []),
  ];
}

/** The state of a key, and why it may not sign now although it is active. */
function stateOf({ state, barred }) {
  return barred ? `${state}, ${barred}` : state;
}

function badgeOf({ state, barred }) {
  return element('span', { class: 'states' }, badge(state), barred && [' ', badge(barred)]);
}

/** How many signatures a key has made, of how many it may make. */
function signaturesOf({ signatures, max_signatures: most }) {
  return most === null ? count(signatures) : `${count(signatures)} of ${count(most)}`;
}

function openOne(page, fingerprint, signal) {
  const list = element('dl', { class: 'facts panel' });
  const buttons = element('div', { class: 'actions start' });
  let state;
  page.append(element('p', {}, link('keys', {}, 'All keys')));
  const load = async () => {
    const key = await call(`v1/keys/${encodeURIComponent(fingerprint)}`, { signal });
    list.replaceChildren(...facts(known(key)));
    if (key.state === state) return;
    state = key.state;
    if (may('operate')) buttons.replaceChildren(actions(key, () => refresh()));
  };
  const refresh = keepFresh(load, page, signal);
  page.append(list, buttons);
}

function known(key) {
  const file = (end) =>
    element(
      'a',
      { href: `v1/keys/${key.fingerprint}.${end}`, download: `${key.fingerprint}.${end}` },
      end.toUpperCase(),
    );
  return [
    ['Fingerprint', element('code', { class: 'foreign' }, key.fingerprint)],
    ['Id', key.id],
    ['State', badgeOf(key)],
    ['Reason', key.reason ? foreign(key.reason) : UNKNOWN],
    ['Size', `${key.bits} bits`],
    ['Custody', foreign(key.custody)],
    ['Signatures', signaturesOf(key)],
    ['Not before', key.not_before ? time(key.not_before) : UNKNOWN],
    ['Not after', key.not_after ? time(key.not_after) : UNKNOWN],
    ['Signs batch', key.leased_batch ? link('batches', { id: key.leased_batch }, key.leased_batch) : UNKNOWN],
    ['Added', time(key.created_at)],
    ['Public half', [file('pem'), ' ', file('jwk')]],
  ];
}
