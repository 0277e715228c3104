import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runFailoverHook } from '../../../adapters/failover-hook.ts';
import { parseTargets } from '../../../adapters/object-stores/parse-target.ts';
import { readRegionConfig } from '../../../adapters/region-config.ts';

const TARGETS = parseTargets('file:///a?name=near file:///b?name=far', null);
const EVENT = { region: 'west', epoch: 3, previous: 'east', api: 'http://127.0.0.1:8080' };

describe('the settings of a region', () => {
  it('are none where no region is named, and share the last target by default', () => {
    expect(readRegionConfig({ SLUICE_REGION: '' }, TARGETS)).toBeNull();
    expect(readRegionConfig({ SLUICE_REGION: 'west' }, TARGETS)).toMatchObject({
      target: 'far',
      role: 'active',
      failover: 'manual',
      leaseMs: 15_000,
      hook: null,
      metricsPort: null,
    });
  });

  it('are refused with every problem at once, and without the secret', () => {
    const env = { SLUICE_REGION: 'west', SLUICE_REGION_TARGET: 'moon', SLUICE_FAILOVER_HOOK: 'rm -rf /' };
    const port = { SLUICE_REGION: 'west', SLUICE_REGION_METRICS_PORT: '70000' };
    expect(() => readRegionConfig(port, TARGETS)).toThrow(expect.objectContaining({ code: 'invalidInput' }));
    expect(() => readRegionConfig(env, TARGETS)).toThrow(
      expect.objectContaining({
        code: 'invalidInput',
        problems: [
          expect.objectContaining({ field: 'SLUICE_REGION_TARGET', allowed: ['near', 'far'] }),
          expect.objectContaining({ field: 'SLUICE_FAILOVER_HOOK' }),
        ],
      }),
    );
    const secret = { SLUICE_REGION: 'West!', SLUICE_FAILOVER_HOOK_SECRET: 'hunter2' };
    expect(() => readRegionConfig(secret, TARGETS)).not.toThrow(/hunter2/);
  });
});

describe('the hook that moves the traffic', () => {
  it('runs a program with its arguments as they are, without a shell', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-hook-'));
    const file = join(folder, 'told');
    const script = 'require("fs").writeFileSync(process.argv[1], process.argv.slice(2).join("|"))';
    const command = [process.execPath, '-e', script, file, '{region}', '{epoch} $(id)', '{api}'] as const;
    await runFailoverHook({ kind: 'command', command: [...command] }, EVENT, { allowPrivate: false });
    expect(readFileSync(file, 'utf8')).toBe('west|3 $(id)|http://127.0.0.1:8080');
    rmSync(folder, { recursive: true });
  });

  it('says what a program said that failed', async () => {
    const command = [process.execPath, '-e', 'console.error("no such zone"); process.exit(3)'] as const;
    const failing = runFailoverHook({ kind: 'command', command: [...command] }, EVENT, { allowPrivate: false });
    await expect(failing).rejects.toMatchObject({ code: 'unavailable', message: /code 3: no such zone/ });
  });
});
