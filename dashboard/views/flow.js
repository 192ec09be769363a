// Flow: how many messages come in, how long the feed is, and how far each way out of it is.

import { bar, element, foreign, setText } from '../element.js';
import { UNKNOWN, count, counted, duration } from '../format.js';
import { live } from '../live.js';
import { badge } from '../parts.js';
import { table } from '../table.js';

export const title = 'Flow';
export const scope = 'read';

export function open(page, { signal }) {
  const strip = way();
  const queues = table({
    label: 'Queues that are published to',
    columns: [
      { label: 'Destination', isWide: true, value: ({ destination }) => destination, render: ({ destination }) => foreign(destination) },
      ...COLUMNS,
      { label: 'Messages', value: ({ messages }) => count(messages), isNumber: true },
      { label: 'Trouble', isWide: true, value: trouble, render: (queue) => foreign(trouble(queue)) },
    ],
    key: ({ destination }) => destination,
    empty: 'This process publishes to no queue.',
  });
  const webhooks = table({
    label: 'Webhooks',
    columns: [
      { label: 'Name', isWide: true, value: ({ name }) => name, render: ({ name }) => foreign(name) },
      ...COLUMNS,
      { label: 'Failures in a row', value: ({ failures }) => count(failures), isNumber: true },
    ],
    key: ({ name }) => name,
    empty: 'There is no webhook.',
  });
  page.append(
    strip.node,
    section('Queues', queues.node, 'What this process publishes to. A queue that another node publishes to is on standby here.'),
    section('Webhooks', webhooks.node, "Behind are the signed batches of which a webhook's server has not been told."),
  );
  const update = () => {
    const { status } = live;
    strip.update(status);
    queues.update(status.publishers.map((queue) => outlet(queue, queue.lag_batches, status)));
    webhooks.update(status.webhooks.map((webhook) => outlet(webhook, webhook.lag, status)));
  };
  if (live.status) update();
  live.addEventListener('status', update, { signal });
}

/** The columns that every way out has. */
const COLUMNS = [
  { label: 'State', value: ({ state }) => state, render: ({ state }) => badge(state) },
  { label: 'Position', value: ({ position }) => position ?? UNKNOWN, render: ({ position }) => mono(position ?? UNKNOWN) },
  {
    label: 'Batches behind',
    value: ({ behind, share }) => `${behind} ${share}`,
    render: ({ behind, share }) =>
      element('span', { class: 'lease' }, share !== null && bar(share, `${count(behind)} batches behind`), count(behind)),
    isNumber: true,
  },
];

/** A way out with how far behind it is, and which share of the feed it has. */
function outlet(of, behind, { feed }) {
  const isThere = feed !== null && of.position?.startsWith(`${feed.split('.')[0]}.`);
  const end = isThere ? place(feed) : 0;
  return { ...of, behind, share: isThere && behind !== null && end > 0 ? 1 - behind / end : null };
}

/** How many batches are up to a position. */
const place = (position) => Number(position.split('.')[1]);

function trouble({ down_seconds: seconds, problem }) {
  return seconds === null ? '' : `for ${duration(seconds)}: ${problem ?? 'it is not known why'}`;
}

const mono = (text) => element('span', { class: 'mono' }, text);

function section(name, node, words) {
  return element('section', { 'aria-label': name }, element('h2', {}, name), node, element('p', { class: 'note' }, words));
}

/** The strip: taken in, refused, signed, in the feed. */
function way() {
  const steps = [
    step('taken', 'Taken in', 'messages of a broker that this process made records of'),
    step('refused', 'Refused', 'messages of a broker that became no record'),
    step('stored', 'Signed', 'records with a signature'),
    step('feed', 'In the feed', 'signed batches, in the order in which every reader gets them'),
  ];
  const node = element(
    'section',
    { class: 'pipeline panel', 'aria-label': 'From the broker to the feed' },
    element(
      'ol',
      {},
      steps.map((one) => one.node),
    ),
  );
  const update = ({ intake, refused, records, feed }) => {
    const [taken, out, signed, end] = steps;
    taken.set(intake === null ? UNKNOWN : count(intake.stored), intake === null ? 'no intake in this process' : intakeWords(intake));
    out.set(count(refused), refused > 0 ? "see 'signwave refused list'" : 'none waits for a person');
    signed.set(count(records.signed), 'records');
    end.set(feed === null ? UNKNOWN : count(place(feed)), feed === null ? '' : `up to ${feed}`);
  };
  return { node, update };
}

function intakeWords({ state, repeated }) {
  return `${state.replaceAll('-', ' ')}, ${counted(repeated, 'message')} repeated`;
}

function step(id, name, meaning) {
  const value = element('strong', { id: `flow-${id}` });
  const note = element('span', { class: 'note' });
  const node = element('li', { title: meaning }, element('span', { class: 'step-name' }, name), value, note);
  const set = (text, under) => {
    setText(value, text);
    setText(note, under);
  };
  return { node, set };
}
