// The service's HTTP API, as this page calls it. The session's cookie goes with each request.

/** An answer that is no success, or no answer at all (`status` 0). */
export class Problem extends Error {
  constructor(status, { title, detail, request_id: request } = {}) {
    super([title ?? `The service answered ${status}`, detail].filter(Boolean).join(': '));
    this.status = status;
    this.request = request;
  }

  static unreachable() {
    return new Problem(0, { title: 'The service does not answer' });
  }
}

/** Tells of answers that concern the whole page: `signed-out` when the session has ended. */
export const api = new EventTarget();

/** By how many milliseconds the service's clock is ahead of this one. */
let ahead = 0;

/** The present by the service's clock, to half a second or so. */
export const serviceNow = () => Date.now() + ahead;

/** The address of a path of the API, seen from the page, which may be behind a prefix. */
export function url(path, query = {}) {
  const address = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') address.searchParams.set(name, value);
  }
  return address;
}

/** Sends a request, and returns the answer if it is a success. */
export async function send(path, { method = 'GET', query, body, headers = {}, signal } = {}) {
  const init = { method, signal, headers: { ...headers }, cache: 'no-store' };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers['Content-Type'] = 'application/json';
  }
  let response;
  try {
    response = await fetch(url(path, query), init);
  } catch (error) {
    throw error.name === 'AbortError' ? error : Problem.unreachable();
  }
  readClock(response);
  if (response.ok) return response;
  const problem = new Problem(response.status, await response.json().catch(() => undefined));
  if (response.status === 401 && path !== 'v1/session') api.dispatchEvent(new Event('signed-out'));
  throw problem;
}

/** The JSON of an answer; `undefined` for one without a body. */
export async function call(path, options) {
  const response = await send(path, options);
  if (response.status === 204) return undefined;
  try {
    return await response.json();
  } catch (error) {
    throw error.name === 'AbortError' ? error : Problem.unreachable();
  }
}

function readClock(response) {
  const date = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(date)) ahead = date + 500 - Date.now();
}
