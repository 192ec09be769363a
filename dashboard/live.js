// What the service says by itself: one stream of events for the whole page. It is closed while the page is hidden.

import { api, call, send } from './api.js';
import { messages } from './event_stream.js';

/** After how many milliseconds without a status the page says that it is out of date. */
const STALE = 3500;
/** After how many milliseconds without a byte the connection is taken for dead. Comments come every 15 seconds. */
const DEAD = 20_000;
/** How long to wait before the next attempt to connect. */
const RETRY = 2000;
/** How many events are kept. */
const KEPT = 1000;
/** An id that no process has given: the service then sends every event that it remembers. */
const FROM_THE_START = 'new-page';

/**
 * The stream. It tells of `state` (a change of `state` or `since`), `status`, `signed`, and `happened` (an event that is
 * kept).
 */
class Live extends EventTarget {
  /** connecting, live, stale or paused. */
  state = 'connecting';
  /** Since when the figures stand still. */
  since = new Date();
  /** The last status; `null` before the first one. */
  status = null;
  /** The last `signed`. */
  signed = null;
  /** Whether the service has said that its database is away. */
  databaseAway = false;
  /** What has happened, the newest first: `{ at, kind, data, isOld }`. */
  events = [];

  #lastId = FROM_THE_START;
  #isOpen = false;
  #isPaused = false;
  #connection = null;
  #deadline;

  /** Opens the stream, and opens and closes it from now on as the page is shown and hidden. */
  start() {
    this.#isOpen = true;
    this.#connect();
  }

  /** Closes the stream, and forgets everything that it said. */
  stop() {
    this.#isOpen = false;
    this.#disconnect();
    Object.assign(this, { status: null, events: [], databaseAway: false });
    this.#lastId = FROM_THE_START;
  }

  get isPaused() {
    return this.#isPaused;
  }

  /** Holds the figures, or goes on. What has happened in between is told then. */
  set isPaused(isPaused) {
    this.#isPaused = isPaused;
    if (isPaused) {
      this.#disconnect();
      this.#become('paused', new Date());
    } else {
      this.#connect();
    }
  }

  /** Opens or closes the stream after the page was shown or hidden. */
  shownOrHidden() {
    if (document.hidden) this.#disconnect();
    else this.#connect();
  }

  #connect() {
    if (!this.#isOpen || this.#isPaused || this.#connection || document.hidden) return;
    if (this.state === 'paused') this.#become('connecting', this.since);
    this.#connection = new AbortController();
    this.#awaitStatus();
    this.#read(this.#connection);
    this.#readOnce(this.#connection);
  }

  #disconnect() {
    clearTimeout(this.#deadline);
    this.#connection?.abort();
    this.#connection = null;
  }

  /** Reads the status at once, because the stream's next one may come a second later. */
  async #readOnce({ signal }) {
    try {
      const status = await call('v1/status', { signal });
      if (!signal.aborted) this.#show(status);
    } catch {
      // The stream says the same, or its absence does.
    }
  }

  /** Reads the stream until it is closed here; connects again whenever it ends otherwise. */
  async #read(connection) {
    const { signal } = connection;
    while (!signal.aborted) {
      const attempt = new AbortController();
      const abort = () => attempt.abort();
      let dead;
      signal.addEventListener('abort', abort);
      try {
        const headers = { 'Last-Event-ID': this.#lastId };
        const response = await send('v1/events', { headers, signal: attempt.signal });
        dead = setTimeout(abort, DEAD);
        let isFirst = true;
        for await (const message of messages(response.body)) {
          clearTimeout(dead);
          dead = setTimeout(abort, DEAD);
          if (signal.aborted) return;
          this.#receive(message, isFirst);
          isFirst &&= message.event !== 'status';
        }
      } catch {
        // The service has gone, or refuses: the page says how old its figures are, and tries again.
      } finally {
        clearTimeout(dead);
        signal.removeEventListener('abort', abort);
      }
      await pause(RETRY, signal);
    }
  }

  #receive({ id, event, data }, isOld) {
    if (data === undefined) return;
    const value = JSON.parse(data);
    if (id !== undefined) this.#lastId = id;
    if (event === 'status') {
      this.databaseAway = false;
      this.#show(value);
      return;
    } else if (event === 'signed') {
      this.signed = value;
    } else {
      this.#keep({ at: new Date(value.at), kind: event, data: value, isOld });
      if (event === 'database-away' || event === 'database-back') this.databaseAway = event === 'database-away';
    }
    this.dispatchEvent(new Event(event === 'signed' ? event : 'happened'));
  }

  #show(status) {
    this.status = status;
    this.#awaitStatus();
    this.#become('live', new Date());
    this.dispatchEvent(new Event('status'));
  }

  #keep(event) {
    this.events.unshift(event);
    this.events.length = Math.min(this.events.length, KEPT);
  }

  /** Says that the figures are old, unless a status comes. */
  #awaitStatus() {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#become('stale', this.since), STALE);
  }

  #become(state, since) {
    const isNew = this.state !== state;
    Object.assign(this, { state, since });
    if (isNew) this.dispatchEvent(new Event('state'));
  }
}

export const live = new Live();

document.addEventListener('visibilitychange', () => live.shownOrHidden());
api.addEventListener('signed-out', () => live.stop());

function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
}
