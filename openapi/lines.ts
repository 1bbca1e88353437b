/** A body of JSON objects, one a line (application/x-ndjson), as they arrive. */
export async function* lines<Line>(body: ReadableStream<Uint8Array>): AsyncGenerator<Line, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const [first = '', ...others] = decoder.decode(value, { stream: true }).split('\n');
      rest += first;
      for (const next of others) {
        if (rest !== '') yield JSON.parse(rest) as Line;
        rest = next;
      }
    }
    if (rest !== '') yield JSON.parse(rest) as Line;
  } finally {
    // Who reads no further closes the connection.
    await reader.cancel().catch(() => undefined);
  }
}
