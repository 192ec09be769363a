// Overview: problems first, then how fast, how much is left, and the course of both.

import { bar, element, link, setBar, setText } from '../element.js';
import { chart } from '../chart.js';
import { UNKNOWN, count, counted, duration, percent, rate, short } from '../format.js';
import { History, RANGES } from '../history.js';
import { live } from '../live.js';
import { announce } from '../notice.js';
import { choice } from '../parts.js';
import { problemList } from '../problems.js';
import { waiting } from '../status.js';
import { pipeline } from './pipeline.js';

export const title = 'Overview';
export const scope = 'read';

/** The range that needs no word in the address. */
const USUAL = '10m';

export function open(page, { query, signal }) {
  const list = problemList();
  const figures = cards();
  const strip = pipeline();
  const ledger = element('p', { class: 'note', id: 'ledger' });
  const charts = course(Object.hasOwn(RANGES, query.get('range')) ? query.get('range') : USUAL, signal);
  page.querySelector('.heading').append(charts.ranges);
  page.append(list.node, figures.node, strip.node, ledger, charts.node);
  const update = () => {
    list.update(live.status);
    figures.update(live.status);
    strip.update(live.status);
    setText(ledger, ledgerWords(live.status));
  };
  if (live.status) update();
  live.addEventListener('status', update, { signal });
  live.addEventListener('happened', () => live.status && list.update(live.status), { signal });
}

/** How many entries the ledger has, and how many of them the last checkpoint has. */
function ledgerWords({ ledger }) {
  if (ledger === null) return '';
  const { entries, checkpoint_entries: signed } = ledger;
  const covered = signed === entries ? 'all of them' : count(signed);
  const checkpoint = signed === null ? 'no checkpoint yet' : `the last checkpoint has ${covered}`;
  return `${counted(entries, 'entry', 'entries')} in the ledger, ${checkpoint}`;
}

/** The figures that are looked for first. */
function cards() {
  const rateCard = card('Signing now', 'records/s');
  const backlogCard = card('Waiting', 'records');
  const ageCard = card('Oldest unsigned', '');
  const signedCard = card('Signed in all', 'records');
  const meter = bar(0, 'Share of the raw speed');
  rateCard.node.append(meter);
  const node = element(
    'section',
    { class: 'cards', 'aria-label': 'Figures' },
    [rateCard, backlogCard, ageCard, signedCard].map((one) => one.node),
  );
  let wasIdle = null;
  const update = (status) => {
    const left = waiting(status);
    const share = status.busy_share;
    rateCard.set(rate(status.records_per_second), rawSpeed(status));
    meter.hidden = share === null;
    setBar(meter, share ?? 0, `Signing threads are busy for ${percent(share)} of the time`);
    backlogCard.set(count(left), timeLeft(status, left));
    const oldest = status.oldest_unsigned;
    ageCard.set(
      oldest ? duration(oldest.age_seconds) : 'None',
      oldest ? link('record', { id: oldest.record_id }, `record ${oldest.record_id}`) : 'everything is signed',
    );
    signedCard.set(count(status.records.signed), [
      link('keys', {}, counted(status.keys.active, 'active key')),
      ', ',
      link('nodes', {}, counted(status.nodes, 'node')),
    ]);
    if (wasIdle === false && left === 0) announce('Everything is signed.');
    wasIdle = left === 0;
  };
  return { node, update };
}

function card(label, unit) {
  const value = element('strong', {}, UNKNOWN);
  const note = element('p', { class: 'note' });
  let shown = '';
  const set = (text, under) => {
    setText(value, text);
    const words = [under]
      .flat()
      .map((part) => part.textContent ?? part)
      .join('');
    if (words === shown) return;
    shown = words;
    note.replaceChildren(...[under].flat());
  };
  const node = element(
    'div',
    { class: 'card' },
    element('h2', {}, label),
    element('p', { class: 'figure' }, value, ' ', element('span', { class: 'unit' }, unit)),
    note,
  );
  return { node, set };
}

/** What the signing threads would do without a pause: the rate by the share of the time that they were busy. */
function rawSpeed(status) {
  const { records_per_second: now, busy_share: share } = status;
  if (share === null) return 'this process does not sign';
  if (!(now > 0) || share < 0.01) return 'the signing threads are idle';
  const nodes = status.nodes > 1 ? ', if all nodes are as busy as this one' : '';
  return `${percent(share)} of the raw speed, ${rate(now / share)}/s${nodes}`;
}

function timeLeft(status, left) {
  if (left === 0) return 'nothing is left to do';
  return status.seconds_left === null ? 'time left is not known yet' : `about ${duration(status.seconds_left)} left`;
}

/** The charts, with the choice of their range. */
function course(range, signal) {
  const history = new History(range, signal);
  const total = element('p', { class: 'note', id: 'history-total' });
  const isUsual = (name) => name === USUAL;
  const ranges = choice({
    label: 'Range of the charts',
    view: 'overview',
    parameter: 'range',
    options: Object.entries(RANGES).map(([one, { name }]) => [isUsual(one) ? '' : one, name]),
    chosen: isUsual(range) ? '' : range,
  });
  const speed = chart({
    title: 'Records signed per second',
    height: 190,
    signal,
    axis: short,
    series: [
      { label: 'signed', colour: 'accent', isFilled: true, text: rate },
      { label: 'raw speed', colour: 'ink-muted', isDashed: true, text: rate },
    ],
  });
  const backlog = chart({
    title: 'Waiting records',
    height: 112,
    signal,
    axis: short,
    series: [{ label: 'waiting', colour: 'accent', isFilled: true, text: count }],
  });
  const busy = chart({
    title: 'Busy share of the signing threads',
    height: 112,
    signal,
    axis: percent,
    most: 1,
    series: [{ label: 'busy', colour: 'accent', isFilled: true, text: percent }],
  });
  const draw = () => {
    const { times, rates, raws, shares, backlogs } = history.columns();
    const to = Date.now() / 1000;
    const from = to - history.seconds;
    speed.update(from, to, times, rates, raws);
    backlog.update(from, to, times, backlogs);
    busy.update(from, to, times, shares);
    const text = `${counted(history.total, 'signature')} by this process in the last ${RANGES[range].name}`;
    setText(total, history.total === null ? '' : text);
    total.dataset.total = history.total ?? '';
  };
  const read = () => history.read().then(draw, (problem) => signal.aborted || setText(total, problem.message));
  follow(history, { read, draw, signal });
  const node = element(
    'section',
    { class: 'course', 'aria-label': 'Course' },
    speed.node,
    element('div', { class: 'halves' }, backlog.node, busy.node),
    total,
  );
  return { node, ranges };
}

/** Moves the charts with each status, and reads the history again now and then. */
function follow(history, { read, draw, signal }) {
  let signed = 0;
  let wasWaiting = false;
  live.addEventListener('signed', () => (signed += live.signed.records), { signal });
  live.addEventListener(
    'status',
    () => {
      history.add(live.status, signed);
      signed = 0;
      const isWaiting = waiting(live.status) > 0;
      if (history.isOld || (wasWaiting && !isWaiting)) read();
      else draw();
      wasWaiting = isWaiting;
    },
    { signal },
  );
  read();
}
