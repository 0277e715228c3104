import { setTimeout as delay } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';

/** Between two tries to connect. Also bounds how long a change may go unheard after an outage; callers poll as well. */
const RETRY_DELAY_MS = 500;
/** A connection over which nothing comes looks like one without news: it is asked this often, and must answer. */
const PROBE_INTERVAL_MS = 15_000;
const PROBE_TIMEOUT_MS = 5_000;

/**
 * Keeps one connection listening on a channel, connecting again for as long as it takes. Calls back on every
 * notification and after each (re)connection. Resolves when the first try has succeeded or failed.
 */
export async function createListener(
  settings: ClientConfig,
  channel: string,
  callback: () => void,
): Promise<() => Promise<void>> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const call = () => {
    if (!signal.aborted) callback();
  };
  let tried: () => void = () => undefined;
  const firstTry = new Promise<void>((resolve) => {
    tried = resolve;
  });
  const running = (async () => {
    while (!signal.aborted) {
      await listenOnce(settings, channel, call, signal, tried).catch(() => undefined);
      tried();
      await delay(RETRY_DELAY_MS, undefined, { signal }).catch(() => undefined);
    }
  })();
  await firstTry;
  return async () => {
    stopping.abort();
    await running;
  };
}

/** Listens until the connection is lost or the signal fires. Rejects when it cannot listen at all. */
async function listenOnce(
  settings: ClientConfig,
  channel: string,
  call: () => void,
  signal: AbortSignal,
  listening: () => void,
): Promise<void> {
  const client = new Client({ ...settings, query_timeout: PROBE_TIMEOUT_MS });
  let probe: NodeJS.Timeout | undefined;
  let abort: () => void = () => undefined;
  try {
    const lost = new Promise<void>((resolve) => {
      abort = resolve;
      client.on('error', abort);
      client.on('end', abort);
      signal.addEventListener('abort', abort);
      probe = setInterval(() => {
        client.query('select 1').catch(abort);
      }, PROBE_INTERVAL_MS);
    });
    await client.connect();
    client.on('notification', call);
    await client.query(`listen ${client.escapeIdentifier(channel)}`);
    listening();
    call();
    await lost;
  } finally {
    clearInterval(probe);
    signal.removeEventListener('abort', abort);
    // Not awaited: on a silent network the goodbye is never answered.
    client.end().catch(() => undefined);
  }
}
