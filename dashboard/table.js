// Tables that are refreshed while people read and use them: rows are kept by their key, and only what has changed is
// written anew.

import { element } from './element.js';

/**
 * A table. Each column has a `label`, a `value(row)` that says whether a cell has changed, and, unless that is what it
 * shows, a `render(row)`. `isNumber` aligns it, `isWide` lets long texts wrap, `isTight` keeps it on one line.
 */
export function table({ label, columns, key, empty }) {
  const header = columns.map((column) =>
    element('th', { scope: 'col', role: 'columnheader', class: kind(column) }, column.label),
  );
  const body = element('tbody', { role: 'rowgroup' });
  const head = element('thead', { role: 'rowgroup' }, element('tr', { role: 'row' }, header));
  // The roles are written out, because a narrow page shows rows as blocks, which would lose them.
  const grid = element('table', { class: 'table', role: 'table', 'aria-label': label }, head, body);
  const note = element('p', { class: 'empty', hidden: true }, empty);
  const rows = new Map();

  const update = (data) => {
    const present = new Set(data.map(key));
    for (const [id, row] of rows) {
      if (present.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    for (const datum of data) {
      if (!rows.has(key(datum))) rows.set(key(datum), newRow(columns));
      fill(rows.get(key(datum)), columns, datum);
    }
    arrange(
      body,
      data.map((datum) => rows.get(key(datum)).node),
    );
    grid.hidden = data.length === 0;
    note.hidden = data.length > 0;
  };
  return { node: element('div', { class: 'table-box' }, grid, note), update };
}

function newRow(columns) {
  const cells = columns.map((column) =>
    element('td', { role: 'cell', class: kind(column), 'data-label': column.label }),
  );
  return { node: element('tr', { role: 'row' }, cells), cells, values: [] };
}

function fill(row, columns, datum) {
  columns.forEach((column, at) => {
    const value = column.value(datum);
    if (row.values[at] === value) return;
    row.values[at] = value;
    row.cells[at].replaceChildren(column.render ? column.render(datum) : String(value));
  });
}

/** Puts rows in their order. While somebody points at the table or is in it, rows that are there keep their places. */
function arrange(body, nodes) {
  const isInUse = body.matches(':hover') || body.contains(document.activeElement);
  if (isInUse) {
    body.append(...nodes.filter((node) => !node.isConnected));
    return;
  }
  nodes.forEach((node, at) => {
    if (body.children[at] !== node) body.insertBefore(node, body.children[at] ?? null);
  });
}

function kind({ isNumber, isWide, isTight }) {
  return [isNumber && 'number', isWide && 'wide', isTight && 'tight'].filter(Boolean).join(' ') || null;
}
