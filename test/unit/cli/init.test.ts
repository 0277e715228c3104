import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emptyFolder, runInside } from './support/run-cli.ts';

function csv(): { folder: string; data: string; out: string } {
  const folder = emptyFolder();
  const data = join(folder, 'machines.csv');
  const rows = Array.from(
    { length: 80 },
    (_, i) => `m-${i},${(i * 13) % 40},${i % 2 === 0 ? 'a' : 'b'},${i % 4 === 0 ? 'failed' : 'fine'}`,
  );
  writeFileSync(data, ['serial,hours,site,state', ...rows].join('\n'));
  return { folder, data, out: join(folder, 'machines.yaml') };
}

describe('sluice init', () => {
  it('writes a definition, and says what was decided and what comes next', async () => {
    const { data, out } = csv();
    const ended = await runInside(['init', data, '--target', 'state', '--out', out]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toMatch(/predicts +state = failed[\s\S]*entity +serial/);
    expect(ended.stdout).toContain('Next: sluice train ');
    expect(readFileSync(out, 'utf8')).toContain('column: state');
  });

  it('takes what it is told', async () => {
    const { data, out } = csv();
    const options = ['--positive', 'fine', '--name', 'wear', '--out', out, '--json'];
    const ended = await runInside(['init', data, '--target', 'state', '--entity', 'serial', ...options]);
    const { definition } = JSON.parse(ended.stdout) as { definition: object };
    expect(definition).toMatchObject({
      name: 'wear',
      entity: 'serial',
      target: { positive: 'fine' },
      data: { source: data },
    });
  });

  it('leaves an existing file alone without --force', async () => {
    const { data, out } = csv();
    writeFileSync(out, 'mine');
    const refused = await runInside(['init', data, '--target', 'state', '--out', out]);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toContain('--force');
    expect(readFileSync(out, 'utf8')).toBe('mine');
    expect(await runInside(['init', data, '--target', 'state', '--out', out, '--force'])).toMatchObject({ code: 0 });
    expect(readFileSync(out, 'utf8')).not.toBe('mine');
  });

  it('names the columns when the target is not one of them', async () => {
    const { data, out } = csv();
    const ended = await runInside(['init', data, '--target', 'stat', '--out', out]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('state');
  });

  it('says so when there is no such file', async () => {
    const ended = await runInside([
      'init',
      '/nowhere/data.csv',
      '--target',
      'x',
      '--out',
      join(emptyFolder(), 'm.yaml'),
    ]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('/nowhere/data.csv');
  });
});
