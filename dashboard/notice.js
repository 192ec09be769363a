// Short messages: some for everybody, some for screen readers alone.

const SHOWN = 6000;
let timer;

/** Shows a message for a while, and has it read out. */
export function say(text) {
  const notice = document.getElementById('notice');
  notice.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => (notice.textContent = ''), SHOWN);
}

/** Has a message read out that others see elsewhere on the page. */
export function announce(text) {
  document.getElementById('announcement').textContent = text;
}
