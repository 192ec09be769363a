// Which view is shown, and how: the fragment of the address, such as `#/batches?state=leased`.

import { address } from './element.js';

/** The view and its parameters, as the address says. */
export function route() {
  const [view, query] = location.hash.replace(/^#\/?/, '').split('?', 2);
  return { view: view || 'overview', query: new URLSearchParams(query) };
}

/** Shows a view, as a step that the browser's Back undoes. */
export function go(view, query) {
  location.hash = address(view, query);
}

/** The code of a sign-in link, which is taken out of the address and the browser's history. */
export function takeCode() {
  const [, code] = location.hash.match(/^#sign-in=(.+)$/) ?? [];
  if (code === undefined) return undefined;
  history.replaceState(null, '', `${location.pathname}${location.search}#/overview`);
  return decodeURIComponent(code);
}
