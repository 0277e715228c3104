import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readConfig, type Config } from '../adapters/config.ts';
import { connectTemporal, type TemporalClient } from '../adapters/temporal-client.ts';
import { CliError, EXIT } from './errors.ts';

const stateFile = z.object({ temporal: z.object({ address: z.string() }) });

/** The Temporal of TEMPORAL_ADDRESS, or of the platform that runs on this home. @throws CliError `unreachable` */
export async function connectTemporalHere(): Promise<{ readonly temporal: TemporalClient; readonly config: Config }> {
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
