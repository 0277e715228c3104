import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { canonicalJson } from '../canonical-json.ts';
import type { TrainingJob } from './job.ts';
import type { CrossValidated, Parameters, Trainer } from './trainer.ts';

/** Finished cross-validations on disk: a job that was killed goes on where it was. */
export interface Checkpoints {
  load(trainer: Trainer, configuration: Parameters): Promise<CrossValidated | null>;
  save(trainer: Trainer, configuration: Parameters, result: CrossValidated): Promise<void>;
}

interface Stored {
  readonly parameters: Parameters;
  readonly logLoss: number;
  /** Doubles, little-endian, base64. */
  readonly outOfFold: string;
}

/** The key holds everything the results depend on; so results of other data or settings are never found. */
export async function createCheckpoints(job: TrainingJob): Promise<Checkpoints> {
  const folder = join(job.workDir, 'checkpoints');
  await mkdir(folder, { recursive: true });
  // Where the data lies does not matter; what is in it does.
  const definition = { ...job.definition, data: { ...job.definition.data, source: '' } };
  const key = canonicalJson({ data: await digestFile(job.dataPath), definition, seed: job.seed });
  const pathOf = (trainer: Trainer, configuration: Parameters): string => {
    const name = canonicalJson([key, trainer.revision, configuration]);
    return join(folder, `${trainer.algorithm}-${createHash('sha256').update(name).digest('hex').slice(0, 32)}.json`);
  };
  return {
    async load(trainer, configuration) {
      try {
        const stored = JSON.parse(await readFile(pathOf(trainer, configuration), 'utf8')) as Stored;
        const bytes = Buffer.from(stored.outOfFold, 'base64');
        // A copy: the buffer of base64 text need not be aligned to 8 bytes.
        const outOfFold = new Float64Array(new Uint8Array(bytes).buffer);
        return { parameters: stored.parameters, logLoss: stored.logLoss, outOfFold };
      } catch {
        // Absent or unreadable: then it is computed again.
        return null;
      }
    },
    async save(trainer, configuration, { parameters, logLoss, outOfFold }) {
      const bytes = Buffer.from(outOfFold.buffer, outOfFold.byteOffset, outOfFold.byteLength);
      const stored: Stored = { parameters, logLoss, outOfFold: bytes.toString('base64') };
      await writeWhole(pathOf(trainer, configuration), JSON.stringify(stored));
    },
  };
}

/** Writes beside the target and renames: a file is there whole or not at all. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, content);
  await rename(partial, path);
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
