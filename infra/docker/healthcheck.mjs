// `node healthcheck.mjs [address]`: exit code 0 when the address answers with a success. Default: the API of this
// container. Liveness only: a container whose database is away is not restarted for it.
/* global fetch, AbortSignal */
const TIMEOUT_MS = 3_000;
const address = process.argv[2] ?? `http://127.0.0.1:${process.env.SLUICE_PORT || 8080}/alive`;

try {
  const response = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  await response.arrayBuffer();
  process.exitCode = response.ok ? 0 : 1;
  if (!response.ok) console.error(`${address} answered ${response.status}`);
} catch (error) {
  console.error(`${address}: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
