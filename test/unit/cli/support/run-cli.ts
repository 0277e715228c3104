import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { run } from '../../../../cli/run.ts';
import type { Streams } from '../../../../cli/terminal/terminal.ts';

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly cwd?: string;
  /** Columns of a terminal on all three streams; absent: pipes. In-process runs only. */
  readonly columns?: number;
}

export const emptyFolder = (): string => mkdtempSync(join(tmpdir(), 'sluice-cli-'));

const MAIN = fileURLToPath(new URL('../../../../cli/main.ts', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;

/** Runs the command line as a shell would: a process of its own, with pipes. */
export function runChild(args: readonly string[], around: Surroundings = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', TSX, MAIN, ...args], {
      cwd: around.cwd ?? emptyFolder(),
      env: { PATH: process.env['PATH'] ?? '', LANG: 'C.UTF-8', ...around.env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(around.stdin ?? '');
  });
}

/** Runs the command line inside the test: the same path but for the process, and many times faster. */
export async function runInside(args: readonly string[], around: Surroundings = {}): Promise<Ended> {
  const [stdin, stdout, stderr] = [new PassThrough(), collector(around.columns), collector(around.columns)];
  if (around.columns !== undefined) Object.assign(stdin, { isTTY: true });
  stdin.end(around.stdin ?? '');
  const streams = { stdin, stdout: stdout.stream, stderr: stderr.stream } as unknown as Streams;
  const code = await run(args, streams, { SLUICE_HOME: emptyFolder(), ...around.env });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(columns?: number) {
  let text = '';
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  if (columns !== undefined) Object.assign(stream, { isTTY: true, columns, rows: 50 });
  return { stream, text: () => text };
}
