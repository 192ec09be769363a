// The page: signs in, and shows the view that the address names.

import { api } from './api.js';
import { element } from './element.js';
import { live } from './live.js';
import { say } from './notice.js';
import { route, takeCode } from './route.js';
import { ended, may, resume, session, signIn, signOut } from './session.js';
import { showLiveness } from './liveness.js';
import { listenForShortcuts, showHelp } from './shortcuts.js';
import { nameTheme, switchTheme } from './scheme.js';
import * as access from './views/access.js';
import * as batches from './views/batches.js';
import * as events from './views/events.js';
import * as flow from './views/flow.js';
import * as keys from './views/keys.js';
import * as nodes from './views/nodes.js';
import * as overview from './views/overview.js';
import * as record from './views/record.js';

/** Each view has a title, the scope that it needs, and `open(page, { query, signal })`, which fills the page. */
const views = { overview, batches, keys, nodes, flow, record, events, access };

const by = (id) => document.getElementById(id);
const main = by('main');

/** Ends what the shown view began: its requests and listeners. */
let leave = new AbortController();

function show() {
  leave.abort();
  leave = new AbortController();
  if (session() === null) return;
  closeMenu();
  const { view: name, query } = route();
  const view = Object.hasOwn(views, name) ? views[name] : null;
  const title = element('h1', { tabindex: '-1' }, view?.title ?? 'There is no such view');
  main.replaceChildren(element('div', { class: 'heading' }, title));
  document.title = `${view?.title ?? 'Not found'} · Sign Wave`;
  for (const link of by('nav').querySelectorAll('a')) {
    const isShown = link.getAttribute('href') === `#/${name}`;
    if (isShown) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (view === null) return;
  if (may(view.scope)) view.open(main, { query, signal: leave.signal });
  else main.append(element('p', { class: 'empty' }, `This view needs a token with the scope ${view.scope}.`));
}

function enter() {
  const { name, scopes } = session();
  by('entrance').hidden = true;
  by('shell').hidden = false;
  by('who').textContent = name;
  by('who').title = `Scopes: ${scopes.join(', ')}`;
  for (const item of document.querySelectorAll('[data-scope]')) item.hidden = !may(item.dataset.scope);
  if (may('read')) live.start();
  by('liveness').hidden = by('pause').hidden = !may('read');
  show();
}

/** Shows the form. The address stays, so that signing in goes back to the same view. */
function askForToken(problem) {
  leave.abort();
  live.stop();
  main.replaceChildren();
  document.querySelectorAll('dialog').forEach((dialog) => dialog.close());
  document.title = 'Sign in · Sign Wave';
  by('shell').hidden = true;
  by('entrance').hidden = false;
  by('sign-in-problem').hidden = problem === undefined;
  by('sign-in-problem').textContent = problem ?? '';
  by('token').value = '';
  by('token').focus();
}

function refusal(problem, what) {
  return problem.status === 401 ? what : problem.message;
}

async function start() {
  const code = takeCode();
  try {
    if (code === undefined) await resume();
    else await signIn({ code });
  } catch (problem) {
    const what = 'This link has been used already, or is too old. Sign in with a token.';
    return askForToken(refusal(problem, what));
  }
  return session() === null ? askForToken() : enter();
}

by('sign-in').addEventListener('submit', async (submission) => {
  submission.preventDefault();
  const button = submission.target.querySelector('button');
  button.disabled = true;
  try {
    await signIn({ token: by('token').value.trim() });
    enter();
  } catch (problem) {
    askForToken(refusal(problem, 'The service does not know this token, or its time is over.'));
  } finally {
    button.disabled = false;
  }
});

by('sign-out').addEventListener('click', async () => {
  try {
    await signOut();
    askForToken();
  } catch (problem) {
    say(problem.message);
  }
});

api.addEventListener('signed-out', () => {
  ended();
  askForToken('The session has ended. Sign in again.');
});

const menu = by('menu');
menu.addEventListener('click', () => {
  const isOpen = by('nav').classList.toggle('open');
  menu.setAttribute('aria-expanded', isOpen);
});

function closeMenu() {
  by('nav').classList.remove('open');
  menu.setAttribute('aria-expanded', false);
}

const togglePause = () => (live.isPaused = !live.isPaused);
by('pause').addEventListener('click', togglePause);
by('help').addEventListener('click', () => showHelp(views));
by('theme').addEventListener('click', () => switchTheme(by('theme')));
document.querySelector('.skip').addEventListener('click', (click) => {
  click.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => {
  const code = takeCode();
  if (code !== undefined) return signIn({ code }).then(enter, (problem) => say(problem.message));
  show();
  return main.querySelector('h1')?.focus({ preventScroll: true });
});

nameTheme(by('theme'));
showLiveness(by);
listenForShortcuts({ views, theme: () => switchTheme(by('theme')), pause: togglePause, may });
start();
