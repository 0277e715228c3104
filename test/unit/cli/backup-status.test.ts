import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { writeRecoveryStatus } from '../../../adapters/recovery-status.ts';
import { status } from '../../../cli/backup/backup-status.ts';
import { EXIT } from '../../../cli/errors.ts';
import type { Session } from '../../../cli/session.ts';
import type { LogState } from '../../../domain/recovery/log-state.ts';
import { markVerified } from '../../../recovery/vault/mark-set.ts';
import { backUpTo, createVaultWorld, type VaultWorld } from '../recovery/vault-world.ts';

let world: VaultWorld;
beforeEach(async () => {
  world = await createVaultWorld(false);
  vi.stubEnv('SLUICE_HOME', world.dir);
  vi.stubEnv('SLUICE_BACKUP_TARGETS', join(world.dir, 'target'));
  vi.stubEnv('SLUICE_BACKUP_SIGNING_KEY_FILE', join(world.dir, 'keys/signing.pem'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await world.end();
});

/** Of a home with a young, verified logical set, whose worker says this of the log. */
async function shown(log: LogState) {
  const { setId } = await backUpTo(world, { rows: Buffer.from('rows') }, [], Date.now(), { setKind: 'logical' });
  await markVerified(world.target.store, setId, Date.now(), {});
  await writeRecoveryStatus(world.dir, { atMs: Date.now(), targets: [], log, drill: null });
  const answer = vi.fn<(json: unknown, lines: readonly string[]) => void>();
  const plain = (text: string): string => text;
  const terminal = { style: { green: plain, red: plain } };
  const code = await status({ terminal, answer } as unknown as Session);
  const [json, lines] = answer.mock.calls[0] ?? [];
  return { code, json, text: lines?.join('\n') };
}

describe('sluice backup status', () => {
  it('fails where the database allows no replication, and says what that means and what helps', async () => {
    const { code, json, text } = await shown('refused');
    expect(code).toBe(EXIT.refused);
    expect(json).toMatchObject({ log: 'refused', targets: [{ met: true, newestKind: 'logical' }] });
    expect(text).toMatch(/^log: .*no replication.*logical copies.*Grant REPLICATION/m);
  });

  it('is content where the log was switched off', async () => {
    const { code, text } = await shown('off');
    expect(code).toBe(EXIT.ok);
    expect(text).not.toMatch(/^log:/m);
  });
});
