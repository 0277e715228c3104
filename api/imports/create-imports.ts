import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeCommit } from '../../adapters/code-commit.ts';
import { examine } from '../../models/doctor/examine.ts';
import { createJobs } from '../../models/training/create-jobs.ts';
import type { ImportVersionDeps } from '../routes/import-version.ts';
import { createImporter } from './create-importer.ts';
import type { ImportDeps } from './import-ports.ts';

/** No upload lasts as long: what is older was left by a process that was killed. */
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;

export interface ImportsConfig extends Pick<ImportDeps, 'registry' | 'artefacts' | 'log'> {
  /** Folder for uploads under way; shared with other processes. */
  readonly uploadDir: string;
}

/** The importer with its real doctor, for the composition root. */
export function createImports({ uploadDir, ...deps }: ImportsConfig): ImportVersionDeps {
  return {
    importer: createImporter({ ...deps, examine, jobs: createJobs(), codeCommit }),
    openFolder: async () => {
      await mkdir(uploadDir, { recursive: true });
      await removeStale(uploadDir);
      const path = await mkdtemp(join(uploadDir, 'upload-'));
      return { path, remove: () => rm(path, { recursive: true, force: true }) };
    },
  };
}

async function removeStale(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const age = Date.now() - ((await stat(path).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > STALE_AFTER_MS) await rm(path, { recursive: true, force: true });
  }
}
