import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;
type History = proto.temporal.api.history.v1.IHistory;

export const HISTORIES = join(import.meta.dirname, '../fixtures/histories');

/** As JSON without stack traces: they hold the folder of whoever recorded, and nothing that a replay reads. */
export async function writeHistory(name: string, history: History): Promise<void> {
  const plain = History.toObject(History.fromObject(history), { longs: String, enums: String, bytes: String });
  const drop = (key: string, value: unknown): unknown => (key === 'stackTrace' ? undefined : value);
  await writeFile(join(HISTORIES, `${name}.json`), `${JSON.stringify(plain, drop, 1)}\n`);
}

export async function readHistory(name: string): Promise<History> {
  return parseHistory(await readFile(join(HISTORIES, `${name}.json`), 'utf8'));
}

export function parseHistory(json: string): History {
  return History.fromObject(JSON.parse(json) as object);
}

export async function historyNames(): Promise<readonly string[]> {
  const files = await readdir(HISTORIES);
  return files.filter((f) => f.endsWith('.json')).map((f) => f.replace(/\.json$/, ''));
}
