// Server-Sent Events from a response (the HTML standard, section 9.2), as far as the service uses them. `EventSource`
// neither says why it was refused nor lets a page ask for the events before it came.

/** The messages of a body: `{ id, event, data }`. Comments are messages without data. */
export async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += value;
      const blocks = text.split('\n\n');
      text = blocks.pop();
      yield* blocks.map(message);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function message(block) {
  const fields = {};
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, '');
  }
  return fields;
}
