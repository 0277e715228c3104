import type { Command } from 'commander';
import { readConfig } from '../../adapters/config.ts';
import type { FinalScreen } from '../../infra/platform/final-screen.ts';
import { createProgress } from '../../infra/platform/progress.ts';
import { watchParent } from '../../infra/platform/watch-parent.ts';
import { createHttpClient } from '../api/http-client.ts';
import { createSluiceApi } from '../api/sluice-api.ts';

/** After the platform has been stopped, nothing should be left to wait for; this is the last word. */
const LINGER_MS = 2_000;

const AFTER_HELP = `
Starts PostgreSQL and Temporal (or uses DATABASE_URL and TEMPORAL_ADDRESS), the worker and the API, and trains the
example while there is no model. Everything is kept in .sluice (SLUICE_HOME). Ctrl-C stops it all in order.

Environment: SLUICE_HOME, SLUICE_HOST (127.0.0.1), SLUICE_PORT (8080), SLUICE_CACHE, SLUICE_LOG_LEVEL.

Example:
  SLUICE_PORT=9000 sluice up`;

export function registerUp(program: Command): void {
  program
    .command('up')
    .description('start the platform on this machine')
    .addHelpText('after', AFTER_HELP)
    .action((_options: unknown, command: Command) => up(command.optsWithGlobals<{ json?: boolean }>().json === true));
}

/** With --json, progress goes to standard error and the addresses to standard output. */
async function up(json: boolean): Promise<void> {
  const config = readConfig();
  const stop = new AbortController();
  const progress = createProgress(json ? process.stderr : process.stdout);
  const onSignal = (): void => {
    if (stop.signal.aborted) progress.say('  still stopping');
    else stop.abort();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  const unwatch = watchParent(() => stop.abort());
  try {
    // Loaded here: no other command needs the database, Temporal and the rest.
    const { runPlatform } = await import('../../infra/platform/run-platform.ts');
    const { renderFinalScreen } = await import('../../infra/platform/final-screen.ts');
    await runPlatform({
      config,
      env: process.env,
      progress,
      signal: stop.signal,
      connectApi: (url, key) => createSluiceApi(createHttpClient({ url, key })),
      homeGiven: (process.env['SLUICE_HOME'] ?? '') !== '',
      onReady: (screen) => {
        if (json) process.stdout.write(`${JSON.stringify(documentOf(screen))}\n`);
        else progress.say(renderFinalScreen(screen));
      },
    });
    progress.say('  stopped');
  } finally {
    unwatch();
    progress.close();
    for (const signal of signals) process.off(signal, onSignal);
    setTimeout(() => process.exit(), LINGER_MS).unref();
  }
}

function documentOf({ addresses, home, firstKey, served, problem }: FinalScreen): unknown {
  return {
    api: addresses.apiUrl,
    docs: `${addresses.apiUrl}/docs`,
    temporal: addresses.temporalAddress,
    temporal_ui: addresses.temporalUiUrl,
    home,
    key_file: firstKey?.file ?? null,
    serves: served === null ? null : { model: served.model, version: served.version },
    problem,
  };
}
