// Access: the tokens, the sessions that were begun with them, and the log of changes.

import { call } from '../api.js';
import { element, foreign, time } from '../element.js';
import { UNKNOWN, shortFingerprint } from '../format.js';
import { headingButton } from '../parts.js';
import { table } from '../table.js';
import { nextPage } from './paging.js';
import { create } from './token_changes.js';
import { sessionList, tokenList } from './token_lists.js';

export const title = 'Access';
export const scope = 'admin';

export function open(page, { query, signal }) {
  const problem = element('p', { class: 'problem', role: 'alert', hidden: true });
  const reload = () =>
    Promise.all([tokens.load(), sessions.load(), audit.load()]).then(
      () => (problem.hidden = true),
      (error) => {
        problem.textContent = error.message;
        problem.hidden = signal.aborted;
      },
    );
  const tokens = tokenList(query, signal, reload);
  const sessions = sessionList(query, signal, reload);
  const audit = auditList(query, signal);
  headingButton(page, 'Create a token', () => create(reload));
  page.append(problem, tokens.node, sessions.node, audit.node);
  reload();
}

function auditList(query, signal) {
  const text = (name) => ({
    value: (change) => change[name] ?? UNKNOWN,
    render: (change) => foreign(change[name] ?? UNKNOWN),
  });
  const list = table({
    label: 'Log of changes',
    key: ({ id }) => id,
    empty: 'Nothing has been changed yet.',
    columns: [
      { label: 'When', value: ({ at }) => at, render: ({ at }) => time(at) },
      { label: 'Who', ...text('who') },
      { label: 'Address', ...text('address') },
      { label: 'What', ...text('action') },
      {
        label: 'Of',
        value: ({ object }) => object,
        render: ({ object }) => element('span', { class: 'mono', title: object }, foreign(shortFingerprint(object))),
      },
      { label: 'Before', isWide: true, ...text('before') },
      { label: 'After', isWide: true, ...text('after') },
    ],
  });
  const more = nextPage('access', query, 'changes_after');
  const load = async () => {
    const page = await call('v1/audit', { query: { after: query.get('changes_after'), limit: 1000 }, signal });
    list.update(page.changes.reverse());
    more.update(page.changes.length === 1000 ? page.next : null);
  };
  const node = element('section', { 'aria-label': 'Changes' }, element('h2', {}, 'Changes'), list.node, more.node);
  return { node, load };
}
