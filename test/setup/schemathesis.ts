/** Schemathesis, which reads the OpenAPI document and sends what it allows and what it does not. */
import { execFile } from 'node:child_process';
import { pythonEnvironment, pythonMissing } from './python-environment.ts';

const PACKAGES = ['schemathesis==4.32.5'];
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Why it cannot be installed here, in one line; `null` when it can. */
export const schemathesisMissing = (): Promise<string | null> => pythonMissing('the tests of the HTTP contract');

export interface SchemathesisRun {
  /** 0: every check passed. */
  readonly code: number;
  /** Everything it said: each failure with a curl command. */
  readonly output: string;
  /** Requests sent. */
  readonly cases: number;
}

/** Runs it against the document at an address. @throws what pip says when it cannot be installed */
export async function runSchemathesis(
  location: string,
  options: { readonly key: string; readonly configPath: string; readonly arguments: readonly string[] },
  limitMs: number,
): Promise<SchemathesisRun> {
  const python = await pythonEnvironment('schemathesis', PACKAGES);
  const header = ['--header', `X-API-Key: ${options.key}`];
  // By its module: the scripts of a moved environment name a place that is gone.
  const argumentsOf = [
    '-m',
    'schemathesis.cli',
    '--config-file',
    options.configPath,
    'run',
    location,
    ...header,
    '--no-color',
  ];
  return new Promise((resolve, reject) => {
    execFile(
      python,
      [...argumentsOf, ...options.arguments],
      // A proxy of this machine must not stand between it and the test's own server.
      { timeout: limitMs, maxBuffer: OUTPUT_BYTES_MAX, env: { ...process.env, NO_PROXY: '*', no_proxy: '*' } },
      (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`;
        const code = error === null ? 0 : error.code;
        if (typeof code !== 'number') reject(new Error(`schemathesis did not end by itself: ${output}`));
        else resolve({ code, output, cases: Number(/(\d+) generated/.exec(output)?.[1] ?? '0') });
      },
    );
  });
}
