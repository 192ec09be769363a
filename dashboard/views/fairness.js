// How far a key is from the mean of the active keys: a bar to the left for fewer signatures, to the right for more.

import { element } from '../element.js';
import { UNKNOWN } from '../format.js';

/** The bar; a dash where there is nothing to compare. */
export function fairness(share) {
  if (share === null) return document.createTextNode(UNKNOWN);
  const { deviation, widest } = share;
  const fill = element('span', { class: deviation < 0 ? 'fewer' : 'more' });
  fill.style.width = `${(50 * Math.abs(deviation)) / widest}%`;
  const percent = 100 * deviation;
  const text = `${percent < 0 ? '−' : '+'}${Math.abs(percent).toFixed(1)} %`;
  return element(
    'span',
    { class: 'fairness' },
    element('span', { class: 'fairness-bar', 'aria-hidden': 'true' }, fill),
    element('span', {}, text),
  );
}
