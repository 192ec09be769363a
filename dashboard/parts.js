// Parts that several views have.

import { address, element } from './element.js';
import { shortFingerprint } from './format.js';

/** The state of a record, a batch, a key or a token. */
export function badge(state) {
  return element('span', { class: `state ${state}` }, state.replaceAll('-', ' '));
}

/** The rows of a list of facts: pairs of a term and what it is. */
export function facts(pairs) {
  return pairs.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, value)));
}

/** A link to a key, by the beginning of its fingerprint or by all of it. */
export function keyLink(fingerprint, isWhole = false) {
  const href = address('keys', { fingerprint });
  return isWhole
    ? element('a', { class: 'mono foreign', href }, fingerprint)
    : element('a', { class: 'mono', href, title: fingerprint }, shortFingerprint(fingerprint));
}

/** Links to a view with each value of a parameter. `options` are pairs of value and text; '' is the usual value. */
export function choice({ label, view, parameter, options, chosen }) {
  const option = ([value, text]) =>
    element('a', { href: address(view, { [parameter]: value }), 'aria-current': value === chosen && 'true' }, text);
  return element('p', { class: 'choice', role: 'group', 'aria-label': label }, options.map(option));
}

/** A small button in a row. */
export function rowButton(text, onclick) {
  return element('button', { class: 'button small', type: 'button', onclick }, text);
}

/** Puts a button beside the title of a view. */
export function headingButton(page, text, onclick) {
  page.querySelector('.heading').append(element('button', { class: 'button primary', type: 'button', onclick }, text));
}
