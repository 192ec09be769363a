// Waiting for a condition, with a limit.
import { setTimeout as pause } from 'node:timers/promises';

const LIMIT = 120_000;
const PAUSE = 50;

/** Asks again and again until the answer is true, and fails after a while: usually two minutes. */
export async function until(what, condition, limit = LIMIT) {
  const end = Date.now() + limit;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${limit / 1000} seconds: ${what}`);
    await pause(PAUSE);
  }
}
