// Questions before something is changed. They live outside the views, so that no refresh closes them.

import { element, foreign } from './element.js';
import { say } from './notice.js';

let number = 0;

/**
 * Asks, and does it. `fields` are elements of the form; `perform` gets the form's values and may fail, which is shown
 * in place. With `typed`, this text must be typed first. `done` is said afterwards.
 */
export function ask({ title, text, fields = [], typed, label, isDangerous = false, perform, done }) {
  const id = `dialog-${(number += 1)}`;
  const problem = element('p', { class: 'problem', role: 'alert', hidden: true });
  const confirm = element('button', { class: `button ${isDangerous ? 'danger' : 'primary'}`, type: 'submit' }, label);
  const cancel = element('button', { class: 'button', type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const typedField = typed && typedText(id, typed, confirm);
  const form = element(
    'form',
    {},
    text && element('p', {}, text),
    fields,
    typedField,
    problem,
    element('div', { class: 'actions' }, cancel, confirm),
  );
  const dialog = open(id, title, form);
  form.addEventListener('submit', async (submission) => {
    submission.preventDefault();
    confirm.disabled = true;
    problem.hidden = true;
    try {
      const values = Object.fromEntries(new FormData(form));
      await perform(values, form);
      dialog.close();
      if (done) say(done);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      confirm.disabled = false;
    }
  });
}

/** Shows a secret that cannot be shown again. Only its button closes it. */
export function showSecret({ title, text, secret }) {
  const id = `dialog-${(number += 1)}`;
  const value = element('code', { class: 'secret', tabindex: '0' }, secret);
  const done = element(
    'button',
    { class: 'button primary', type: 'button', onclick: () => dialog.close() },
    'I have kept it',
  );
  const dialog = open(id, title, [
    element('p', {}, text),
    value,
    element(
      'div',
      { class: 'actions' },
      copyButton(() => secret, value),
      done,
    ),
  ]);
  dialog.addEventListener('cancel', (cancellation) => cancellation.preventDefault());
}

/** A button that copies a text, or selects it where the browser lets no page copy (on plain HTTP). */
export function copyButton(text, shown) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      say('Copied.');
    } catch {
      getSelection().selectAllChildren(shown);
      say('The text is selected. Copy it with the keyboard.');
    }
  };
  return element('button', { class: 'button', type: 'button', onclick: copy }, 'Copy');
}

/** A labelled field. */
export function field(label, input, hint) {
  const id = `field-${(number += 1)}`;
  input.id = id;
  return element(
    'div',
    { class: 'field' },
    element('label', { for: id }, label),
    input,
    hint && element('p', { class: 'hint' }, hint),
  );
}

/** A choice of one. `options` are pairs of value and text. */
export function select(name, options, chosen) {
  const option = ([value, text]) => element('option', { value, selected: value === chosen }, text);
  return element('select', { name }, options.map(option));
}

function typedText(id, typed, confirm) {
  const input = element('input', { id: `${id}-typed`, autocomplete: 'off', spellcheck: 'false' });
  confirm.disabled = true;
  input.addEventListener('input', () => (confirm.disabled = input.value.trim() !== typed));
  const label = element('label', { for: `${id}-typed` }, 'Type ', element('code', {}, foreign(typed)), ' to confirm');
  return element('div', { class: 'field' }, label, input);
}

/** Opens a dialog, which is removed when it is closed. */
export function open(id, title, content) {
  const heading = element('h2', { id: `${id}-title` }, title);
  const dialog = element('dialog', { class: 'panel dialog', 'aria-labelledby': `${id}-title` }, heading, content);
  const opener = document.activeElement;
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (opener?.isConnected) opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
