import type { Command } from 'commander';
import { createHttpClient } from './api/http-client.ts';
import { locatePlatform } from './api/locate-platform.ts';
import { createSluiceApi, type SluiceApi } from './api/sluice-api.ts';
import { EXIT, type ExitCode, UsageError } from './errors.ts';
import type { Settings } from './settings.ts';
import { createTerminal, type Streams, type Terminal } from './terminal/terminal.ts';

/** What one run of a command works with. */
export interface Session {
  readonly json: boolean;
  readonly terminal: Terminal;
  readonly stdin: NodeJS.ReadStream;
  /** The platform's API; it is looked for at the first call. */
  readonly api: () => Promise<SluiceApi>;
  /** The command's answer: `document` as JSON with --json, else the lines. Once per run. */
  readonly answer: (document: unknown, lines: readonly string[]) => void;
}

/** Runs the bodies of commands and remembers how the last one ended. */
export interface Runner {
  readonly run: (command: Command, body: (session: Session) => Promise<ExitCode | undefined>) => Promise<void>;
  readonly exitCode: () => ExitCode;
}

interface GlobalOptions {
  readonly json?: boolean;
  readonly url?: string;
  readonly key?: string;
}

export function createRunner(settings: Settings, streams: Streams): Runner {
  let exitCode: ExitCode = EXIT.ok;
  return {
    exitCode: () => exitCode,
    run: async (command, body) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      exitCode = (await body(openSession(settings, streams, options))) ?? EXIT.ok;
    },
  };
}

function openSession(settings: Settings, streams: Streams, options: GlobalOptions): Session {
  if (options.url !== undefined && !/^https?:\/\/[^/]/.test(options.url)) {
    throw new UsageError(`--url is not an address: ${options.url}`, [], 'For example --url http://127.0.0.1:8080');
  }
  const json = options.json === true;
  const terminal = createTerminal(streams, settings);
  let api: Promise<SluiceApi> | null = null;
  return {
    json,
    terminal,
    stdin: streams.stdin,
    api: () => (api ??= locatePlatform(settings, options).then((place) => createSluiceApi(createHttpClient(place)))),
    answer: (document, lines) => {
      terminal.print(json ? [JSON.stringify(document, null, 2)] : lines);
    },
  };
}
