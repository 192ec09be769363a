// Nodes: what each holds, and what is left of its lease.

import { call, serviceNow } from '../api.js';
import { bar, element, foreign, link, setBar, setText, time } from '../element.js';
import { count, duration } from '../format.js';
import { live } from '../live.js';
import { keepFresh } from '../refresh.js';
import { table } from '../table.js';

export const title = 'Nodes';
export const scope = 'read';

export function open(page, { signal }) {
  const leases = new Map();
  const list = table({
    label: 'Nodes at work',
    columns: columns(leases),
    key: ({ id }) => id,
    empty: 'No node is at work.',
  });
  const lost = element('p', { class: 'note' });
  const load = async () => {
    const { nodes } = await call('v1/nodes', { signal });
    const ids = new Set(nodes.map(({ id }) => id));
    for (const id of leases.keys()) if (!ids.has(id)) leases.delete(id);
    nodes.forEach((node) => leases.get(node.id)?.renew(node));
    list.update(nodes);
  };
  keepFresh(load, page, signal);
  page.append(
    list.node,
    element(
      'section',
      { class: 'panel facts-note', 'aria-label': 'Takeovers' },
      element('h2', {}, 'Takeovers'),
      lost,
      element(
        'p',
        { class: 'note' },
        'A batch whose node has gone is taken over by another one, with a higher lease number. ',
        link('batches', { state: 'leased' }, 'Leased batches'),
        ' show theirs, and numbers above 1 are marked.',
      ),
    ),
  );
  const tell = () => {
    const fenced = live.events.filter(({ kind }) => kind === 'fenced').length;
    const were = fenced === 1 ? 'commit was' : 'commits were';
    setText(lost, `${count(fenced)} ${were} fenced in this process, because another node had taken over the batch.`);
  };
  tell();
  live.addEventListener('happened', tell, { signal });
  const shrink = setInterval(() => {
    if (live.state === 'live') leases.forEach((lease) => lease.draw());
  }, 1000);
  signal.addEventListener('abort', () => clearInterval(shrink));
}

function columns(leases) {
  return [
    { label: 'Node', isWide: true, value: ({ name }) => name, render: ({ name }) => foreign(name) },
    { label: 'Id', value: ({ id }) => id, isNumber: true },
    { label: 'Batches held', value: ({ batches }) => count(batches), isNumber: true },
    {
      label: 'Lease left',
      isWide: true,
      value: ({ id }) => id,
      render: (node) => {
        const lease = new Lease(node);
        leases.set(node.id, lease);
        return lease.node;
      },
    },
    {
      label: 'Can use keys of',
      value: ({ custodians }) => custodians.join(', '),
      render: ({ custodians }) => foreign(custodians.join(', ') || 'none'),
    },
    { label: 'At work since', value: (node) => node.started_at, render: (node) => time(node.started_at) },
  ];
}

/** What is left of a lease, as a bar that shrinks until the node renews it. It is full at the most that was seen. */
class Lease {
  #until = 0;
  #most = 0;
  #bar = bar(0, '');
  #text = element('span', { class: 'lease-left' });
  node = element('span', { class: 'lease' }, this.#bar, this.#text);

  constructor(node) {
    this.renew(node);
  }

  renew(node) {
    this.#until = Date.parse(node.lease_until);
    this.draw();
  }

  draw() {
    const left = Math.max(0, (this.#until - serviceNow()) / 1000);
    this.#most = Math.max(this.#most, left);
    const text = duration(Math.round(left));
    setBar(this.#bar, this.#most > 0 ? left / this.#most : 0, `${text} left`);
    this.node.classList.toggle('short', left < 5);
    setText(this.#text, text);
  }
}
