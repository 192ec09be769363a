// How fresh the figures are: live, paused, or stale since a time.

import { setText } from './element.js';
import { clock } from './format.js';
import { live } from './live.js';
import { announce } from './notice.js';
import { route } from './route.js';

/** Keeps the header up to date. `by` finds an element by its id. */
export function showLiveness(by) {
  live.addEventListener('state', () => {
    const text = words();
    by('liveness').dataset.state = live.state;
    by('shell').dataset.live = live.state;
    setText(by('liveness-text'), text);
    setText(by('pause'), live.isPaused ? 'Resume' : 'Pause');
    announce(text);
  });
  live.addEventListener('status', () => {
    setText(by('version'), `Version ${live.status.version}`);
  });
  let seen = 0;
  const news = by('event-count');
  live.addEventListener('happened', () => {
    seen = route().view === 'events' ? 0 : seen + (live.events[0].isOld ? 0 : 1);
    news.hidden = seen === 0;
    setText(news, seen === 0 ? '' : `${seen} new`);
  });
  addEventListener('hashchange', () => {
    if (route().view !== 'events') return;
    seen = 0;
    news.hidden = true;
  });
}

function words() {
  switch (live.state) {
    case 'live':
      return 'Live';
    case 'paused':
      return `Paused at ${clock(live.since)}`;
    case 'stale':
      return `Stale since ${clock(live.since)}`;
    default:
      return 'Connecting';
  }
}
