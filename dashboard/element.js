// Elements, made without markup: every text is set as text, so that data are never read as HTML.

import { UNKNOWN, moment } from './format.js';

/**
 * An element with attributes, listeners (`onclick: function`) and children. Attributes that are `false`, `null` or
 * `undefined` are left out, and so are such children.
 */
export function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === 'function') node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

/** A text that somebody else wrote. It cannot turn the direction of what surrounds it, and it wraps anywhere. */
export function foreign(text, attributes = {}) {
  return element('bdi', { class: 'foreign', ...attributes }, text);
}

/** A link to a view of this page. */
export function link(view, query, ...children) {
  return element('a', { href: address(view, query) }, ...children);
}

/** The fragment that shows a view. */
export function address(view, query = {}) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return `#/${view}${parameters.size > 0 ? `?${parameters}` : ''}`;
}

/** Sets a text where it has changed, so that screen readers and selections are left alone. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A share between 0 and 1 as a bar. */
export function bar(share, label) {
  const fill = element('span', { class: 'bar-fill' });
  const node = element('span', { class: 'meter', role: 'img', 'aria-label': label }, fill);
  setBar(node, share, label);
  return node;
}

/** Changes what a bar shows. */
export function setBar(node, share, label) {
  node.firstChild.style.width = `${100 * Math.min(1, Math.max(0, share))}%`;
  node.setAttribute('aria-label', label);
}

/** A moment, with its whole date behind it; a dash if it is not known. */
export function time(iso) {
  return iso ? element('time', { datetime: iso, title: new Date(iso).toLocaleString('en-GB') }, moment(iso)) : UNKNOWN;
}
