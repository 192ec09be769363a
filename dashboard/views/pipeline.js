// The way of all records: unbatched, open, leased, signed.

import { element, link, setText } from '../element.js';
import { count, counted } from '../format.js';

const STEPS = [
  ['unbatched', 'Unbatched', 'not in a batch yet'],
  ['open', 'Open', 'in a batch that waits for a key'],
  ['leased', 'Leased', 'being signed'],
  ['signed', 'Signed', 'done'],
];

/** The strip. */
export function pipeline() {
  const steps = STEPS.map(([state, name, meaning]) => step(state, name, meaning));
  const shares = STEPS.map(([state]) => element('span', { class: `share ${state}` }));
  const node = element(
    'section',
    { class: 'pipeline panel', 'aria-label': 'The way of the records' },
    element(
      'ol',
      {},
      steps.map((one) => one.node),
    ),
    element('p', { class: 'shares', 'aria-hidden': 'true' }, shares),
  );
  const update = ({ records, batches }) => {
    STEPS.forEach(([state], at) => {
      steps[at].set(records[state], batches[state]);
      shares[at].style.flexGrow = records[state];
      shares[at].hidden = records[state] === 0;
    });
  };
  return { node, update };
}

function step(state, name, meaning) {
  const value = element('strong', { id: `records-${state}` });
  const batches = element('span', { class: 'note' });
  const title = state === 'unbatched' ? name : link('batches', { state }, name);
  const node = element(
    'li',
    { class: state, title: meaning },
    element('span', { class: 'step-name' }, title),
    value,
    batches,
  );
  const set = (records, number) => {
    setText(value, count(records));
    setText(batches, number === undefined ? meaning : counted(number, 'batch', 'batches'));
  };
  return { node, set };
}
