// Lists that are read again while the service is at work: after a status, but not more often than every other second.

import { element, setText } from './element.js';
import { live } from './live.js';

const PAUSE = 2000;

/**
 * Runs `load` now and again, until the signal. A problem is shown in `page`, above what was loaded before. Returns a
 * function that runs it at once.
 */
export function keepFresh(load, page, signal) {
  const line = element('p', { class: 'problem', role: 'alert', hidden: true });
  page.append(line);
  let isRunning = false;
  let isWanted = false;
  let last = 0;
  const run = async () => {
    isWanted = isRunning;
    if (isRunning) return;
    isRunning = true;
    try {
      await load();
      line.hidden = true;
    } catch (problem) {
      setText(line, problem.message);
      line.hidden = signal.aborted;
    }
    isRunning = false;
    last = performance.now();
    if (isWanted && !signal.aborted) run();
  };
  live.addEventListener('status', () => performance.now() - last >= PAUSE && run(), { signal });
  run();
  return run;
}
