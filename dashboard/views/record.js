// One record: its way, its signature, and the proof.

import { Problem, call } from '../api.js';
import { element, foreign, link, time } from '../element.js';
import { UNKNOWN, counted, duration } from '../format.js';
import { badge, facts, keyLink } from '../parts.js';
import { go } from '../route.js';
import { proof } from './proof.js';

export const title = 'Record';
export const scope = 'read';

export function open(page, { query, signal }) {
  page.append(search(query));
  const [id, name] = [query.get('id'), query.get('external_id')];
  if (!id && !name) return;
  const found = element('div', { class: 'record', 'aria-live': 'polite' });
  page.append(found);
  show(found, { id, name }, signal).catch((problem) => {
    if (!signal.aborted) found.replaceChildren(element('p', { class: 'problem', role: 'alert' }, words(problem)));
  });
}

const words = (problem) => (problem.status === 404 ? 'There is no such record.' : problem.message);

function search(query) {
  const byName = query.has('external_id');
  const input = element('input', {
    id: 'record-name',
    name: 'text',
    value: query.get('external_id') ?? query.get('id') ?? '',
    autocomplete: 'off',
    spellcheck: 'false',
    required: true,
  });
  const option = (value, text, selected) => element('option', { value, selected }, text);
  const kind = element(
    'select',
    { name: 'kind', 'aria-label': 'Search by' },
    option('id', 'id', !byName),
    option('external_id', 'external_id', byName),
  );
  const form = element(
    'form',
    { class: 'search', role: 'search' },
    element('label', { for: 'record-name' }, 'Find by'),
    kind,
    input,
    element('button', { class: 'button', type: 'submit' }, 'Find'),
  );
  form.addEventListener('submit', (submission) => {
    submission.preventDefault();
    go('record', { [kind.value]: kind.value === 'id' ? input.value.trim() : input.value });
  });
  return form;
}

async function show(found, { id, name }, signal) {
  if (id && !/^[1-9][0-9]{0,18}$/.test(id)) throw new Problem(404);
  const record = id
    ? await call(`v1/records/${id}`, { signal })
    : await call('v1/records', { query: { external_id: name }, signal });
  const { events } = await call(`v1/records/${record.id}/history`, { signal });
  const list = element('dl', { class: 'facts panel' }, facts(known(record)));
  found.replaceChildren(list, timeline(events), ...(record.signature ? proof(record, signal) : [waiting()]));
}

function known(record) {
  return [
    ['Id', record.id],
    ['external_id', record.external_id ? foreign(record.external_id) : UNKNOWN],
    ['State', badge(record.state)],
    ['Batch', record.batch ? link('batches', { id: record.batch }, record.batch) : UNKNOWN],
    ['Payload', counted(record.payload_length, 'byte')],
  ];
}

const STEPS = {
  added: 'Added',
  batched: 'Put into a batch',
  leased: 'Leased',
  signed: 'Signed',
};

function timeline(events) {
  const first = Date.parse(events[0]?.at);
  const steps = events.map((event) => {
    const after = (Date.parse(event.at) - first) / 1000;
    return element(
      'li',
      {},
      element('strong', {}, STEPS[event.what] ?? event.what),
      element(
        'span',
        { class: 'note' },
        time(event.at),
        after > 0 && ` · ${later(after)} after it was added`,
      ),
      element('span', {}, detail(event)),
    );
  });
  return element(
    'section',
    { class: 'panel', 'aria-label': 'Way' },
    element('h2', {}, 'Way'),
    element('ol', { class: 'timeline' }, steps),
  );
}

const later = (seconds) => (seconds < 10 ? `${seconds.toFixed(2)} s` : duration(seconds));

function detail({ what, batch, epoch, fingerprint, node }) {
  const parts = [];
  if (what === 'batched') parts.push(link('batches', { id: batch }, `batch ${batch}`));
  if (fingerprint) parts.push(['key ', keyLink(fingerprint)]);
  if (what === 'leased' && epoch) parts.push(`lease number ${epoch}`);
  if (node) parts.push(['node ', foreign(node.name)]);
  return parts.flatMap((part, at) => (at > 0 ? [', ', part] : [part]));
}

function waiting() {
  return element('p', { class: 'empty' }, 'The record is not signed yet.');
}
