// Events: what happens seldom, and people should hear of.

import { element, foreign, link, time } from '../element.js';
import { live } from '../live.js';
import { choice } from '../parts.js';

export const title = 'Events';
export const scope = 'read';

const KINDS = {
  'key-suspended': 'Key suspended',
  fenced: 'Commit fenced',
  refused: 'Batch refused',
  'database-away': 'Database away',
  'database-back': 'Database back',
};

export function open(page, { query, signal }) {
  const chosen = Object.hasOwn(KINDS, query.get('kind')) ? query.get('kind') : '';
  const list = element('ol', { class: 'events' });
  const empty = element('p', { class: 'empty' }, 'Nothing of this kind has happened, as far as the service remembers.');
  page.append(
    choice({
      label: 'Kind',
      view: 'events',
      parameter: 'kind',
      options: [['', 'All'], ...Object.entries(KINDS)],
      chosen,
    }),
    list,
    empty,
    element(
      'p',
      { class: 'note below' },
      'This process and its view of the database. The service remembers its last 256 events, and this page its last 1,000.',
    ),
  );
  const update = () => {
    const shown = live.events.filter(({ kind }) => chosen === '' || kind === chosen);
    list.replaceChildren(...shown.map(item));
    list.hidden = shown.length === 0;
    empty.hidden = shown.length > 0;
  };
  update();
  live.addEventListener('happened', update, { signal });
}

function item({ at, kind, data }) {
  return element(
    'li',
    { class: `event ${kind}` },
    element('span', { class: 'note' }, time(at.toISOString())),
    element('strong', {}, KINDS[kind] ?? foreign(kind)),
    element('span', {}, told(kind, data)),
  );
}

function told(kind, data) {
  const batch = () => link('batches', { id: data.batch }, 'batch ', foreign(data.batch));
  switch (kind) {
    case 'key-suspended':
      return ['Key ', foreign(data.key_id), ' has failed repeatedly, and signs no more: ', foreign(data.reason)];
    case 'fenced':
      return ['The signatures of ', batch(), ' were dropped, because its lease ', foreign(data.epoch), ' had ended.'];
    case 'refused':
      return ['The database refused the signatures of ', batch(), '. It is tried again later.'];
    case 'database-away':
      return ['The database cannot be reached.'];
    case 'database-back':
      return ['The database answers again.'];
    default:
      return [];
  }
}
