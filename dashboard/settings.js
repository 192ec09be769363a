// What this browser remembers. Without storage, everything works for as long as the page is open.

const forgotten = new Map();

/** The remembered text; `null` if there is none. */
export function recall(name) {
  try {
    return localStorage.getItem(`signwave-${name}`);
  } catch {
    return forgotten.get(name) ?? null;
  }
}

/** Remembers a text; `null` forgets it. */
export function remember(name, text) {
  try {
    if (text === null) localStorage.removeItem(`signwave-${name}`);
    else localStorage.setItem(`signwave-${name}`, text);
  } catch {
    forgotten.set(name, text);
  }
}
