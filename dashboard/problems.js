// What people should look at first, as far as the status says.

import { element, foreign, link } from './element.js';
import { counted, duration } from './format.js';
import { live } from './live.js';
import { waiting } from './status.js';

/** How long a record may wait, in seconds, before the page says so. */
const LONG = 300;

/** Problems, the worst first: `{ isSevere, text: nodes, key }`. */
export function problems(status) {
  const { keys } = status;
  const left = waiting(status);
  const age = status.oldest_unsigned?.age_seconds ?? 0;
  const fenced = live.events.filter(({ kind, isOld }) => kind === 'fenced' && !isOld).length;
  const refused = live.events.find(({ kind, isOld }) => kind === 'refused' && !isOld);
  return [
    live.databaseAway && severe('The database does not answer.', 'The service tries again.'),
    status.ledger?.halted &&
      severe(
        'The ledger is halted, so nothing is signed:',
        foreign(status.ledger.halted),
        "'signwave verify --anchor' says more.",
      ),
    keys.active === 0 && severe('No key is active,', 'so nothing can be signed.', link('keys', {}, 'Keys')),
    keys.active > 0 &&
      left > 0 &&
      keys.active === barred(keys) &&
      severe('No active key may sign now,', 'because their limits are reached.', link('keys', { state: 'active' }, 'Keys')),
    left > 0 &&
      status.nodes === 0 &&
      severe(`No node is at work, and ${counted(left, 'record')} wait.`, link('nodes', {}, 'Nodes')),
    left > 0 &&
      status.nodes > 0 &&
      status.records_per_second === 0 &&
      age > 30 &&
      severe('Nothing has been signed in the last seconds,', `although ${counted(left, 'record')} wait.`),
    age > LONG &&
      minor(
        `The oldest unsigned record waits for ${duration(age)}:`,
        link('record', { id: status.oldest_unsigned.record_id }, `record ${status.oldest_unsigned.record_id}`),
      ),
    keys.unreachable > 0 &&
      minor(
        `No node at work can use ${counted(keys.unreachable, 'active key')}, because none has the custodian.`,
        link('nodes', {}, 'Nodes'),
      ),
    keys.suspended > 0 &&
      minor(
        `${counted(keys.suspended, 'key')} suspended after failures.`,
        link('keys', { state: 'suspended' }, 'Suspended keys'),
      ),
    status.intake &&
      status.intake.state !== 'connected' &&
      minor('The intake of this process has no connection to its broker.', "The service's log says why."),
    ...status.publishers
      .filter(({ down_seconds: seconds }) => seconds !== null)
      .map(({ destination, state, down_seconds: seconds, problem }) =>
        (state === 'stopped' ? severe : minor)(
          'Nothing is published to',
          foreign(destination),
          `for ${duration(seconds)}:`,
          foreign(problem ?? state),
        ),
      ),
    status.refused > 0 &&
      minor(`${counted(status.refused, 'message')} of a broker refused:`, "see 'signwave refused list'."),
    ...status.webhooks.map(
      ({ name, state, failures }) =>
        (state === 'disabled' &&
          minor(`The webhook ${name} is disabled:`, `'signwave webhooks list' says why, 'webhooks enable ${name}' enables it.`)) ||
        (failures > 0 && minor(`The webhook ${name} failed ${counted(failures, 'time')} in a row:`, "see 'signwave webhooks list'.")),
    ),
    refused !== undefined &&
      minor(
        'The database refused the signatures of',
        link('batches', { id: refused.data.batch }, 'batch ', foreign(refused.data.batch)),
      ),
    fenced > 0 &&
      minor(
        `${counted(fenced, 'batch', 'batches')} fenced since this page was opened.`,
        link('events', { kind: 'fenced' }, 'Events'),
      ),
  ]
    .filter(Boolean)
    .sort((one, other) => other.isSevere - one.isSevere);
}

/** How many active keys may not sign now. */
function barred(keys) {
  return keys.not_yet_valid + keys.expired + keys.exhausted;
}

/** A list of problems that is written anew when it has changed. */
export function problemList() {
  const list = element('ul', { class: 'problems', 'aria-label': 'Problems', hidden: true });
  let shown = '';
  const update = (status) => {
    const found = problems(status);
    const text = found.map(({ parts }) => parts.map((part) => part.textContent ?? part).join(' ')).join('\n');
    list.hidden = found.length === 0;
    if (text === shown) return;
    shown = text;
    list.replaceChildren(
      ...found.map(({ isSevere, parts }) =>
        element(
          'li',
          { class: isSevere ? 'severe' : 'minor' },
          element(
            'span',
            {},
            parts.flatMap((part) => [part, ' ']),
          ),
        ),
      ),
    );
  };
  return { node: list, update };
}

const severe = (...parts) => ({ isSevere: true, parts });
const minor = (...parts) => ({ isSevere: false, parts });
