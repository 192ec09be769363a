// Who is signed in, and what the token allows.

import { call } from './api.js';
import { recall, remember } from './settings.js';

let current = null;

/** The session: its token's name, scopes and expiry; `null` without a session. */
export const session = () => current;

/** Whether the token has a scope. */
export const may = (scope) => current?.scopes.includes(scope) ?? false;

/** Begins a session with `{ token }` or `{ code }`. */
export async function signIn(credential) {
  current = await call('v1/session', { method: 'POST', body: credential });
  remember('signed-in', 'yes');
}

/** Goes on with the session of this browser, if there is one. The service is only asked where one was begun. */
export async function resume() {
  if (recall('signed-in') === null) return;
  try {
    current = await call('v1/session');
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    ended();
  }
}

/** Ends the session. It may have ended already. */
export async function signOut() {
  try {
    await call('v1/session', { method: 'DELETE' });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
  }
  ended();
}

/** Takes note that the service has ended the session. */
export function ended() {
  current = null;
  remember('signed-in', null);
}
