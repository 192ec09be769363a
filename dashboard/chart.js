// Charts over time, drawn by uPlot in the page's colours.

import { element, setText } from './element.js';
import { clock } from './format.js';
import { scheme } from './scheme.js';

/**
 * A chart of lines over time. Each series has a `label`, a `colour` (a class of the style sheet), a `text(value)`, and
 * is `isFilled` or `isDashed`. `most` fixes the upper end of the scale. The value under the pointer, or the last one,
 * is written above the chart.
 */
export function chart({ title, height, series, axis, most, signal }) {
  const readout = element('p', { class: 'readout' });
  const canvas = element('div', { class: 'canvas', role: 'img' });
  const node = element(
    'figure',
    { class: 'chart' },
    element('figcaption', {}, element('h2', {}, title), readout),
    canvas,
  );
  let plot = null;
  let columns = [[], ...series.map(() => [])];
  let range = [0, 1];

  const read = (at) => {
    const index = at ?? columns[0].length - 1;
    const values = series.map(({ label, text }, n) => `${label} ${text(columns[n + 1][index])}`);
    setText(readout, index < 0 ? '' : `${clock(1000 * columns[0][index])} · ${values.join(' · ')}`);
  };
  const draw = () => {
    plot?.destroy();
    if (canvas.clientWidth === 0) return;
    const size = { width: canvas.clientWidth, height };
    plot = new uPlot(
      { ...size, ...options({ canvas, series, axis, most, range: () => range, read }) },
      columns,
      canvas,
    );
  };
  const resize = new ResizeObserver(() => (plot ? plot.setSize({ width: canvas.clientWidth, height }) : draw()));
  resize.observe(canvas);
  scheme.addEventListener('change', draw, { signal });
  signal.addEventListener('abort', () => {
    resize.disconnect();
    plot?.destroy();
  });

  const update = (from, to, ...data) => {
    range = [from, to];
    columns = data;
    plot?.setData(columns);
    read(plot?.cursor.idx ?? undefined);
    canvas.setAttribute('aria-label', `${title}. ${readout.textContent}`);
  };
  return { node, update };
}

function options({ canvas, series, axis, most, range, read }) {
  const ink = colour(canvas, 'ink-muted');
  const line = { stroke: colour(canvas, 'ink-line'), width: 1 };
  const font = `11px ${getComputedStyle(canvas).fontFamily}`;
  const common = { stroke: ink, font, grid: line, ticks: { show: false } };
  return {
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: {
      x: { time: true, range },
      y: { range: (_, __, max) => [0, most ?? nice(max)] },
    },
    axes: [
      {
        ...common,
        grid: { show: false },
        size: 26,
        values: (_, times, ___, ____, step) => times.map((at) => hour(at, step)),
      },
      { ...common, size: 50, space: 36, values: (_, values) => values.map(axis) },
    ],
    series: [{}, ...series.map((one) => style(canvas, one))],
    hooks: { setCursor: [(plot) => read(plot.cursor.idx ?? undefined)] },
  };
}

function style(canvas, { label, colour: name, isFilled, isDashed }) {
  const stroke = colour(canvas, name);
  const fill = isFilled ? colour(canvas, `${name}-wash`) : undefined;
  return {
    label,
    stroke,
    fill,
    width: isDashed ? 1 : 1.5,
    dash: isDashed ? [4, 4] : undefined,
    points: { show: false },
  };
}

/** A colour as the canvas needs it: not the name of a variable, but what it stands for in the present scheme. */
function colour(canvas, name) {
  const probe = element('span', { class: name });
  canvas.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

const hour = (at, step) => (step < 60 ? clock(1000 * at) : clock(1000 * at).slice(0, 5));

const nice = (max) => (max > 0 ? 1.15 * max : 1);
