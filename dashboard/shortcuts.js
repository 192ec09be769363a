// Keys of the keyboard, and the sheet that lists them.

import { open } from './dialog.js';
import { element } from './element.js';
import { go, route } from './route.js';
import { recall, remember } from './settings.js';

const OTHERS = [
  ['/', 'Find a record'],
  ['p', 'Pause, or go on'],
  ['t', 'Dark or light'],
  ['?', 'This sheet'],
];

const areOn = () => recall('shortcuts') !== 'off';

/** Listens for keys, except while something is typed or asked. The key of a view is the first letter of its name. */
export function listenForShortcuts({ views, theme, pause, may }) {
  document.addEventListener('keydown', (press) => {
    if (press.ctrlKey || press.metaKey || press.altKey || !areOn() || isBusy(press.target)) return;
    const view = Object.keys(views).find((name) => name[0] === press.key && may(views[name].scope));
    if (view) go(view);
    else if (press.key === 'p' && may('read')) pause();
    else if (press.key === 't') theme();
    else if (press.key === '?') showHelp(views);
    else if (press.key === '/' && may('read')) find();
    else return;
    press.preventDefault();
  });
}

function isBusy(target) {
  const isHidden = document.getElementById('shell').hidden;
  return isHidden || document.querySelector('dialog[open]') !== null || target.matches('input, select, textarea');
}

function find() {
  const focus = () => document.getElementById('record-name')?.focus();
  if (route().view === 'record') return focus();
  addEventListener('hashchange', focus, { once: true });
  return go('record');
}

/** Shows all keys. */
export function showHelp(views) {
  const row = ([key, text]) => element('div', {}, element('dt', {}, element('kbd', {}, key)), element('dd', {}, text));
  const keys = [...Object.entries(views).map(([name, { title }]) => [name[0], title]), ...OTHERS];
  const on = element('input', { type: 'checkbox', id: 'shortcuts-on', checked: areOn() });
  on.addEventListener('change', () => remember('shortcuts', on.checked ? null : 'off'));
  const close = element('button', { class: 'button', type: 'button', onclick: () => dialog.close() }, 'Close');
  const dialog = open('help', 'Keyboard shortcuts', [
    element('dl', { class: 'shortcuts' }, keys.map(row)),
    element('label', { class: 'check' }, on, ' Shortcuts are on'),
    element('div', { class: 'actions' }, close),
  ]);
}
