/**
 * One answer for all who ask within a moment: those who ask while it is made get the same one, and it is kept for
 * `keepMs` after. A failure is not kept.
 */
export function createSharedAnswer<T>(make: () => Promise<T>, keepMs: number): () => Promise<T> {
  let current: Promise<T> | null = null;
  let timer: NodeJS.Timeout | undefined;
  return () => {
    if (current !== null) return current;
    const made = make();
    current = made;
    const forget = (): void => {
      current = null;
    };
    clearTimeout(timer);
    made.then(() => {
      timer = setTimeout(forget, keepMs).unref();
    }, forget);
    return made;
  };
}
