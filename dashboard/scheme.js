// The switch between dark and light. `theme.js` applies the choice when the page is opened again.

import { remember } from './settings.js';

const system = matchMedia('(prefers-color-scheme: dark)');

/** Tells of changes of the scheme (`change`), because charts are drawn in its colours. */
export const scheme = new EventTarget();

/** Whether the page is dark now. */
const isDark = () => (document.documentElement.dataset.theme ?? (system.matches ? 'dark' : 'light')) === 'dark';

/** Writes on the button what it switches to. */
export function nameTheme(button) {
  button.textContent = isDark() ? 'Light' : 'Dark';
}

/** Switches, and remembers it. What the system prefers needs no memory. */
export function switchTheme(button) {
  const wanted = isDark() ? 'light' : 'dark';
  if (wanted === (system.matches ? 'dark' : 'light')) {
    delete document.documentElement.dataset.theme;
    remember('theme', null);
  } else {
    document.documentElement.dataset.theme = wanted;
    remember('theme', wanted);
  }
  nameTheme(button);
  scheme.dispatchEvent(new Event('change'));
}

system.addEventListener('change', () => {
  nameTheme(document.getElementById('theme'));
  scheme.dispatchEvent(new Event('change'));
});
