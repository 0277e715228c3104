/** Token services are on the same machine or the same network: an absent one must not hold up a backup. */
const WITHIN_MS = 5_000;

/** One small answer of a token service, as text. @throws an Error that says which service and what it said */
export async function askForToken(
  url: string,
  headers: Readonly<Record<string, string>>,
  init: { readonly method?: 'PUT' | 'POST'; readonly body?: string } = {},
): Promise<string> {
  const response = await fetch(url, { ...init, headers, redirect: 'manual', signal: AbortSignal.timeout(WITHIN_MS) });
  const text = await response.text();
  // The body may name the identity, never a secret; still only its beginning.
  if (!response.ok)
    throw new Error(`${new URL(url).host} gave no token (status ${response.status}: ${text.slice(0, 200)})`);
  return text;
}
