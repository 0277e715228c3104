/** Before a token ends it is asked for anew: requests under way must not meet its end. */
const RENEW_BEFORE_MS = 5 * 60_000;

export interface Expiring<T> {
  readonly value: T;
  /** Epoch ms; `null`: never. */
  readonly expiresAtMs: number | null;
}

/** Keeps what was fetched until shortly before its end; callers at the same time wait for one fetch. */
export function createKeptToken<T>(fetchToken: () => Promise<Expiring<T>>): () => Promise<T> {
  let kept: Promise<Expiring<T>> | null = null;
  const renew = (): Promise<Expiring<T>> => {
    const asked = fetchToken();
    kept = asked;
    // A failure is not kept.
    asked.catch(() => {
      if (kept === asked) kept = null;
    });
    return asked;
  };
  return async () => {
    const current = await (kept ?? renew());
    const fresh = current.expiresAtMs === null || current.expiresAtMs - Date.now() > RENEW_BEFORE_MS;
    return fresh ? current.value : (await renew()).value;
  };
}
