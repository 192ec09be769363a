// Batches, the newest first, and one batch with its records.

import { call } from '../api.js';
import { element, foreign, link, time } from '../element.js';
import { UNKNOWN, count, counted, duration } from '../format.js';
import { badge, choice, facts, keyLink } from '../parts.js';
import { keepFresh } from '../refresh.js';
import { table } from '../table.js';
import { nextPage } from './paging.js';

export const title = 'Batches';
export const scope = 'read';

const STATES = [
  ['', 'All'],
  ['open', 'Open'],
  ['leased', 'Leased'],
  ['signed', 'Signed'],
];
/** How many characters of the runs of a batch are shown. */
const RUNS = 2000;

export function open(page, { query, signal }) {
  if (query.get('id')) return openOne(page, query.get('id'), signal);
  const [state, after] = [query.get('state') ?? '', query.get('after')];
  const list = table({ label: 'Batches', columns: COLUMNS, key: ({ id }) => id, empty: 'There are no such batches.' });
  const more = nextPage('batches', query);
  page.append(choice({ label: 'State', view: 'batches', parameter: 'state', options: STATES, chosen: state }));
  const load = async () => {
    const { batches, next } = await call('v1/batches', { query: { state, after, limit: 50 }, signal });
    list.update(batches);
    more.update(next);
  };
  keepFresh(load, page, signal);
  page.append(list.node, more.node);
}

const COLUMNS = [
  { label: 'Batch', value: ({ id }) => id, render: ({ id }) => link('batches', { id }, id), isNumber: true },
  { label: 'State', value: ({ state }) => state, render: ({ state }) => badge(state) },
  { label: 'Records', value: ({ record_count: number }) => count(number), isNumber: true },
  {
    label: 'From',
    value: ({ first_record: id }) => id,
    render: ({ first_record: id }) => link('record', { id }, id),
    isNumber: true,
  },
  { label: 'Key', value: ({ fingerprint }) => fingerprint ?? UNKNOWN, render: keyName },
  {
    label: 'Node',
    value: ({ node }) => node?.name ?? UNKNOWN,
    render: ({ node }) => (node ? foreign(node.name) : UNKNOWN),
  },
  { label: 'Lease', value: ({ epoch }) => epoch, render: lease, isNumber: true },
  { label: 'Opened', value: (batch) => batch.opened_at, render: (batch) => time(batch.opened_at) },
  { label: 'Waited', value: (batch) => between(batch.opened_at, batch.leased_at), isNumber: true },
  { label: 'Signing', value: (batch) => between(batch.leased_at, batch.signed_at), isNumber: true },
];

function keyName({ fingerprint }) {
  return fingerprint ? keyLink(fingerprint) : UNKNOWN;
}

/** A number above 1 means that an earlier lease ended without signatures. */
function lease({ epoch }) {
  if (BigInt(epoch) <= 1n) return epoch;
  return element('span', { class: 'marked', title: 'An earlier lease ended without signatures' }, epoch);
}

function between(from, to) {
  if (!from || !to) return UNKNOWN;
  const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
  return seconds < 10 ? `${seconds.toFixed(2)} s` : duration(seconds);
}

function openOne(page, id, signal) {
  const list = element('dl', { class: 'facts panel' });
  page.append(element('p', {}, link('batches', {}, 'All batches')));
  const load = async () => {
    const batch = await call(`v1/batches/${encodeURIComponent(id)}`, { signal });
    list.replaceChildren(...facts(known(batch)));
    if (batch.state === 'signed') live.abort();
  };
  // A signed batch does not change.
  const live = new AbortController();
  signal.addEventListener('abort', () => live.abort());
  keepFresh(load, page, live.signal);
  page.append(list);
}

function known(batch) {
  const runs = batch.records ?? '';
  const shown = runs.length > RUNS ? `${runs.slice(0, RUNS)}…` : runs;
  return [
    ['Batch', batch.id],
    ['State', badge(batch.state)],
    ['Records', [counted(batch.record_count, 'record'), ': ', element('span', { class: 'foreign' }, shown)]],
    ['First record', link('record', { id: batch.first_record }, batch.first_record)],
    ['Last record', link('record', { id: batch.last_record }, batch.last_record)],
    ['Key', batch.fingerprint ? keyLink(batch.fingerprint, true) : UNKNOWN],
    ['Scheme', batch.scheme ?? UNKNOWN],
    ['Node', batch.node ? foreign(batch.node.name) : UNKNOWN],
    ['Lease number', lease(batch)],
    ['Opened', time(batch.opened_at)],
    ['Leased', time(batch.leased_at)],
    ['Signed', time(batch.signed_at)],
  ];
}
