// The tokens, and the sessions of this page, which are tokens of a browser.

import { call } from '../api.js';
import { element, foreign, time } from '../element.js';
import { UNKNOWN } from '../format.js';
import { badge } from '../parts.js';
import { table } from '../table.js';
import { nextPage } from './paging.js';
import { actions } from './token_changes.js';

/** The tokens. `changed` is called after a change. */
export function tokenList(query, signal, changed) {
  return list({ title: 'Tokens', parameter: 'tokens_after', empty: 'There are no tokens.' }, query, signal, changed);
}

/** The sessions, until a week after their end. */
export function sessionList(query, signal, changed) {
  const origin = ({ parent }) => (parent === 'terminal' ? 'a link of the terminal' : (parent ?? UNKNOWN));
  const begun = {
    label: 'Begun with',
    value: origin,
    render: (session) => element('span', { class: 'mono' }, origin(session)),
  };
  const options = {
    title: 'Sessions',
    parameter: 'sessions_after',
    sessions: true,
    column: begun,
    empty: 'There are no sessions.',
  };
  return list(options, query, signal, changed);
}

function list({ title, parameter, sessions, column, empty }, query, signal, changed) {
  const key = ({ id }) => id;
  const rows = table({ label: title, key, empty, columns: columns(column, changed) });
  const more = nextPage('access', query, parameter);
  const load = async () => {
    const wanted = { after: query.get(parameter), sessions, limit: 100 };
    const { tokens, next } = await call('v1/tokens', { query: wanted, signal });
    rows.update(tokens);
    more.update(next);
  };
  const node = element('section', { 'aria-label': title }, element('h2', {}, title), rows.node, more.node);
  return { node, load };
}

function columns(extra, changed) {
  const until = (token) => (token.expires_at ? time(token.expires_at) : 'for ever');
  return [
    { label: 'Name', isWide: true, value: ({ name }) => name, render: ({ name }) => foreign(name) },
    { label: 'Id', value: ({ id }) => id, render: ({ id }) => element('span', { class: 'mono' }, id) },
    { label: 'State', value: (token) => token.state, render: ({ state }) => badge(state) },
    ...(extra ? [extra] : []),
    { label: 'Scopes', value: ({ scopes }) => scopes.join(', ') },
    { label: 'Made', value: (token) => token.created_at, render: (token) => time(token.created_at) },
    { label: 'Used last', value: (token) => token.last_used_at ?? '', render: (token) => time(token.last_used_at) },
    { label: 'Until', value: (token) => token.expires_at ?? '', render: until },
    { label: 'Change', isTight: true, value: (token) => token.state, render: (token) => actions(token, changed) },
  ];
}
