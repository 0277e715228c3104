/**
 * Rejects with `onLate()` when the work takes longer; the work itself is left to end as it likes.
 * For clients whose own deadlines do not bound the pauses between their retries.
 */
export async function withTimeLimit<T>(work: Promise<T>, limitMs: number, onLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onLate()), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
