import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { z } from 'zod';
import { readConfig, type Config } from '../adapters/config.ts';
import { connectTemporal, type TemporalClient } from '../adapters/temporal-client.ts';
import { CliError, EXIT } from './errors.ts';

const stateFile = z.object({ temporal: z.object({ address: z.string() }) });

export interface TemporalHere {
  readonly temporal: TemporalClient;
  readonly config: Config;
}

/**
 * Does `work` with the Temporal of TEMPORAL_ADDRESS, or of the platform that runs on this home. A workflow that it waits
 * for and that fails is told by `failed`, from what it failed of.
 * @throws CliError `unreachable`, or what `failed` makes
 */
export async function withTemporalHere<T>(
  failed: (cause: Error | undefined) => CliError,
  work: (here: TemporalHere) => Promise<T>,
): Promise<T> {
  const here = await connectTemporalHere();
  try {
    return await work(here);
  } catch (error) {
    throw error instanceof WorkflowFailedError ? failed(error.cause) : error;
  } finally {
    await here.temporal.close();
  }
}

/** As the workflow itself says it. */
export function workflowFailed(what: string): (cause: Error | undefined) => CliError {
  return (cause) => new CliError(EXIT.failed, 'failed', cause?.message ?? `The ${what} failed`);
}

async function connectTemporalHere(): Promise<TemporalHere> {
  const config = readConfig();
  const temporalAddress = config.temporalAddress ?? (await temporalAddressHere(config.home));
  if (temporalAddress === null) {
    throw new CliError(EXIT.unreachable, 'unreachable', 'No platform runs here', {
      hint: 'Start it with npm start, or name its Temporal with TEMPORAL_ADDRESS',
    });
  }
  return { temporal: connectTemporal({ ...config, temporalAddress }), config };
}

/** What a running platform tells other programs; `null`: none runs on this home. */
export async function temporalAddressHere(home: string): Promise<string | null> {
  const text = await readFile(join(home, 'run', 'platform.json'), 'utf8').catch(() => 'null');
  const parsed = stateFile.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data.temporal.address : null;
}
