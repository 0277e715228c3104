import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { TemporalFacts } from '../../domain/recovery/manifest.ts';
import { withClient } from '../restore/check-restored.ts';
import { once } from './file-content.ts';
import type { SetSink } from './set-sink.ts';
import type { StagedSet } from './stage-set.ts';

/** The end of each log: what happened before a loss, not an archive. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
const LOGS_MAX = 50;

/** In an encrypted set. */
export const SEALING_KEY_FILE = 'configuration/sealing.key';

export interface StageDefinitionsOptions {
  readonly databaseUrl: string;
  readonly temporal: () => Promise<TemporalFacts>;
}

/** Definitions of the models and what Temporal should be doing, readable without a database. */
export async function stageDefinitions(
  set: StagedSet,
  sink: SetSink,
  { databaseUrl, temporal }: StageDefinitionsOptions,
): Promise<void> {
  if ((await set.recall('platform')) !== null) return;
  const models = await withClient(databaseUrl, async (client) => {
    const found = await client.query<{ model: string; digest: string; definition: unknown }>(
      'select name as model, definition_digest as digest, definition from models order by name',
    );
    return found.rows;
  });
  const facts = await temporal();
  await addOnce(sink, 'configuration/models.json', models);
  await addOnce(sink, 'configuration/temporal.json', facts);
  await set.remember('platform', {
    temporal: facts,
    definitions: models.map(({ model, digest }) => ({ model, digest })),
  });
}

/** Without it the webhooks of a restored database could not be opened. Left out where the set is not encrypted: a secret never leaves in plain. */
export async function stageSealingKey(set: StagedSet, sink: SetSink, path: string | null): Promise<void> {
  if (path === null || set.encryption === null || (await sink.staged(SEALING_KEY_FILE)) !== null) return;
  const key = await readFile(path).catch(() => null);
  if (key !== null) await sink.add(SEALING_KEY_FILE, once(key));
}

export async function stageLogs(sink: SetSink, logDir: string): Promise<void> {
  const names = (await readdir(logDir).catch(() => [])).filter((name) => /^[\w.-]+\.log$/.test(name));
  for (const name of names.sort().slice(0, LOGS_MAX)) {
    const path = join(logDir, name);
    const found = await stat(path).catch(() => null);
    if (found?.isFile() !== true || (await sink.staged(`logs/${name}`)) !== null) continue;
    // Up to the length seen now: it goes on growing while it is read.
    const end = Math.max(0, found.size - 1);
    const start = Math.max(0, found.size - LOG_BYTES_MAX);
    const content = found.size === 0 ? once(new Uint8Array()) : createReadStream(path, { start, end });
    await sink.add(`logs/${name}`, content as AsyncIterable<Uint8Array>);
  }
}

async function addOnce(sink: SetSink, name: string, value: unknown): Promise<void> {
  if ((await sink.staged(name)) === null) await sink.add(name, once(Buffer.from(JSON.stringify(value, null, 1))));
}
