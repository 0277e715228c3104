/** Reads the rows a person wants predictions for. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Instance } from './api/sluice-api.ts';
import { UsageError } from './errors.ts';

/** Ten times the API's batch limit of rows stays far below this; larger data belongs in a batch job. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;

const row = z.record(z.string(), z.unknown());
const instance = z.strictObject({
  entity_id: z.union([z.string(), z.number()]).transform(String).exactOptional(),
  features: row,
});

/** `{...}` of the command line. */
export function parseFeatures(text: string): Instance {
  return toInstance(parseJson(text, '--features'), '--features');
}

/**
 * A file, or standard input for `-`: one JSON object, a JSON array of them, or JSON lines. Each is a row by feature
 * name, or `{"entity_id": ..., "features": {...}}`.
 * @throws UsageError that names the file and the line or row
 */
export async function readInstances(path: string, stdin: NodeJS.ReadableStream): Promise<readonly Instance[]> {
  const name = path === '-' ? 'standard input' : path;
  const text = path === '-' ? await readStream(stdin) : await readText(path);
  if (text.trim() === '') throw new UsageError(`${name} is empty`);
  const whole = tryJson(text);
  if (whole !== undefined) {
    const rows: unknown[] = Array.isArray(whole) ? whole : [whole];
    return rows.map((value, i) => toInstance(value, `${name}, row ${i + 1}`));
  }
  return text
    .split('\n')
    .map((line, i) => ({ line: line.trim(), where: `${name}, line ${i + 1}` }))
    .filter(({ line }) => line !== '')
    .map(({ line, where }) => toInstance(parseJson(line, where), where));
}

function toInstance(value: unknown, where: string): Instance {
  const wrapped = instance.safeParse(value);
  if (wrapped.success) return wrapped.data;
  const plain = row.safeParse(value);
  if (plain.success) return { features: plain.data };
  throw new UsageError(`${where}: expected a JSON object with one member a feature`);
}

function parseJson(text: string, where: string): unknown {
  const value = tryJson(text);
  if (value !== undefined) return value;
  throw new UsageError(`${where}: not JSON`, [], 'A row reads like {"age": 41, "plan": "basic"}');
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
}

async function readStream(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > INPUT_BYTES_MAX) throw new UsageError(`standard input is larger than ${INPUT_BYTES_MAX} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
