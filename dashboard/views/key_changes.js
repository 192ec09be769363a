// Changes of keys: generate, disable, enable, retire.

import { call } from '../api.js';
import { element } from '../element.js';
import { counted, shortFingerprint } from '../format.js';
import { ask, field, select } from '../dialog.js';
import { rowButton } from '../parts.js';

/** The buttons for a key in its present state. */
export function actions(key, changed) {
  const button = (text, action) => rowButton(text, () => action(key, changed));
  const buttons = {
    active: [button('Disable', disable), button('Retire', retire)],
    disabled: [button('Enable', enable), button('Retire', retire)],
    suspended: [button('Enable', enable), button('Retire', retire)],
    retired: [],
  };
  return element('span', { class: 'row-actions' }, buttons[key.state] ?? []);
}

/** Asks how many keys of which size, and has them made. */
export function generate(changed) {
  const number = element('input', { name: 'count', type: 'number', min: 1, max: 20, value: 1, required: true });
  const sizes = [
    ['2048', '2048 bits'],
    ['3072', '3072 bits'],
    ['4096', '4096 bits'],
  ];
  ask({
    title: 'Generate keys',
    text: 'The keys are made in the service, and sign at once.',
    fields: [
      field('How many', number, '1 to 20'),
      field('Size', select('bits', sizes, '2048'), 'A larger key signs more slowly.'),
    ],
    label: 'Generate',
    done: 'The keys are made.',
    perform: async ({ count, bits }) => {
      await call('v1/keys', { method: 'POST', body: { count: Number(count), bits: Number(bits) } });
      changed();
    },
  });
}

/** Asks before a key gets another state. `text` says what that means, and `more` how it is confirmed. */
const changeTo =
  (state, label, text, more = () => ({})) =>
  (key, changed) =>
    ask({
      title: `${label} key ${shortFingerprint(key.fingerprint)}?`,
      text: text(key),
      fields: [reason()],
      label,
      done: `Key ${key.id} is ${state}.`,
      perform: (values) => change(key, state, values, changed),
      ...more(key),
    });

const disable = changeTo(
  'disabled',
  'Disable',
  () => 'It takes no new batch. A batch that is being signed with it is finished.',
);
const enable = changeTo('active', 'Enable', () => 'It signs again from now on.');
const retire = changeTo(
  'retired',
  'Retire',
  (key) => `It never signs again, which cannot be undone. Its ${counted(key.signatures, 'signature')} stay valid.`,
  (key) => ({ typed: shortFingerprint(key.fingerprint), isDangerous: true }),
);

function reason() {
  return field(
    'Reason',
    element('input', { name: 'reason', maxlength: 1000, autocomplete: 'off' }),
    'For people to read. It may stay empty.',
  );
}

async function change(key, state, { reason: why }, changed) {
  await call(`v1/keys/${key.fingerprint}`, { method: 'PATCH', body: { state, reason: why.trim() || null } });
  changed();
}
