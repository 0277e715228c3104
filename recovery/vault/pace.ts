import { setTimeout as sleep } from 'node:timers/promises';

/** Shorter pauses than this are saved up: timers are not finer. */
const PAUSE_MIN_MS = 5;

/** Passes a stream on, on the average no faster than so many bytes a second. What was slow is not made up for. */
export async function* paced(
  content: AsyncIterable<Uint8Array>,
  bytesPerSecond: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let dueMs = performance.now();
  for await (const chunk of content) {
    yield chunk;
    const nowMs = performance.now();
    dueMs = Math.max(dueMs, nowMs - PAUSE_MIN_MS) + (chunk.byteLength / bytesPerSecond) * 1000;
    if (dueMs - nowMs >= PAUSE_MIN_MS) await sleep(dueMs - nowMs, undefined, { signal });
  }
}
