// Numbers, durations and times as people read them.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** What stands for a value that is not known. */
export const UNKNOWN = '–';

/** A count: `41,210`. */
export const count = (number) => (isKnown(number) ? whole.format(number) : UNKNOWN);

/** A count with its noun: `1 key`, `2 keys`. */
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A rate: `7,912`, and below 100 with a decimal. */
export const rate = (number) => (isKnown(number) ? (number < 100 ? tenths : whole).format(number) : UNKNOWN);

/** A number that fits beside an axis: `8.1K`. */
export const short = (number) => compact.format(number);

/** A share: `97 %`. */
export const percent = (share) => (isKnown(share) ? `${whole.format(100 * share)} %` : UNKNOWN);

/** A number of seconds in its two largest units: `2 min 10 s`. */
export function duration(seconds) {
  if (!isKnown(seconds)) return UNKNOWN;
  if (seconds < 1) return seconds <= 0 ? '0 s' : '< 1 s';
  let rest = Math.round(seconds);
  const parts = [];
  for (const [unit, length] of [
    ['d', 86400],
    ['h', 3600],
    ['min', 60],
    ['s', 1],
  ]) {
    const number = Math.floor(rest / length);
    if (number > 0) parts.push(`${whole.format(number)} ${unit}`);
    else if (parts.length > 0) break;
    rest -= number * length;
  }
  return parts.slice(0, 2).join(' ');
}

/** The time of day: `16:02:11`. */
export const clock = (date) => new Date(date).toLocaleTimeString('en-GB');

/** The time of day, after the date where that is another day: `25 Nov, 16:02:11`. */
export function moment(date) {
  const then = new Date(date);
  const day = then.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', year: yearOf(then) });
  return then.toDateString() === new Date().toDateString() ? clock(then) : `${day}, ${clock(then)}`;
}

/** The beginning of a fingerprint, which tells keys apart at a glance. */
export const shortFingerprint = (fingerprint) => fingerprint.slice(0, 12);

function yearOf(date) {
  return date.getFullYear() === new Date().getFullYear() ? undefined : 'numeric';
}

function isKnown(number) {
  return typeof number === 'number' && Number.isFinite(number);
}
