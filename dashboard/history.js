// The service's own history of signatures, and the seconds since it was read.

import { call } from './api.js';
import { waiting } from './status.js';

/** The ranges that the service keeps. */
export const RANGES = {
  '10m': { seconds: 600, name: '10 minutes' },
  '1h': { seconds: 3600, name: '1 hour' },
  '24h': { seconds: 86400, name: '24 hours' },
};

/** How long a history is good, in milliseconds: reading it again after each second would cost more than it shows. */
const READ_AGAIN = 10_000;

/** Over how many seconds rates are measured, as in the status: whole batches are counted when they are stored. */
const WINDOW = 10;

/** One range of the history, read when it is opened and again while the page is live. */
export class History {
  /** `{ at, signed, busy, backlog }`, the oldest first; `at` in seconds since 1970. */
  points = [];
  step = 1;
  /** How many signatures the range has, as the service said last. */
  total = null;

  #readAt = 0;
  #isReading = false;
  #added = 0;

  constructor(range, signal) {
    this.range = range;
    this.seconds = RANGES[range].seconds;
    this.signal = signal;
  }

  /** Whether the history is old enough to be read again. */
  get isOld() {
    return !this.#isReading && performance.now() - this.#readAt > Math.min(READ_AGAIN, this.step * READ_AGAIN);
  }

  /** Reads it. */
  async read() {
    this.#isReading = true;
    try {
      const query = { range: this.range };
      const { points, step_seconds: step } = await call('v1/history', { query, signal: this.signal });
      this.points = points.map((point) => ({ ...point, at: Date.parse(point.at) / 1000 }));
      this.step = step;
      this.total = points.reduce((sum, { signed }) => sum + signed, 0);
      this.#added = 0;
    } finally {
      this.#readAt = performance.now();
      this.#isReading = false;
    }
  }

  /** Adds what a status says of the last second, until the history is read again. */
  add(status, signed) {
    if (this.step !== 1 || this.points.length === 0) return;
    const at = Date.now() / 1000;
    // The first second overlaps with what was read.
    if (this.#added > 0) {
      this.points.push({ at, signed, busy: status.busy_share, backlog: waiting(status) });
      if (this.points.length > this.seconds + 1) this.points.shift();
    }
    this.#added += 1;
  }

  /** The records per second up to a point, and what they would be if the signing threads were always busy. */
  #speed(points, at) {
    const steps = Math.max(1, WINDOW / this.step);
    const taken = points.slice(Math.max(0, at + 1 - steps), at + 1);
    const rate = taken.reduce((sum, { signed }) => sum + signed, 0) / taken.length / this.step;
    const share = taken.reduce((sum, { busy }) => sum + (busy ?? 0), 0) / taken.length;
    return { rate, raw: share > 0.1 && rate > 0 ? rate / share : null };
  }

  /** Columns for a chart: times, records per second, raw records per second, busy share, backlog. */
  columns() {
    // The last step of what was read is not over yet.
    const points = this.#added > 1 ? this.points : this.points.slice(0, -1);
    const speeds = points.map((_, at) => this.#speed(points, at));
    return {
      times: points.map(({ at }) => at),
      rates: speeds.map(({ rate }) => rate),
      raws: speeds.map(({ raw }) => raw),
      shares: points.map(({ busy }) => busy),
      backlogs: points.map(({ backlog }) => backlog),
    };
  }
}
