// The way to the next page of a list, and back to the first.

import { element, link } from '../element.js';

/** Links below a list; `update` takes the answer's `next`. */
export function nextPage(view, query, parameter = 'after') {
  const others = Object.fromEntries([...query].filter(([name]) => name !== parameter));
  const node = element('p', { class: 'paging' });
  let shown;
  const update = (next) => {
    if (next === shown) return;
    shown = next;
    const first = query.get(parameter) && link(view, others, 'First page');
    const following = next && link(view, { ...others, [parameter]: next }, 'Next page');
    node.replaceChildren(...[first, following].filter(Boolean));
  };
  return { node, update };
}
