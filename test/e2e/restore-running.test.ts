/** What a person does after a mistake: back to a point they named, while the platform goes on answering. */
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeHome, startPlatform, temporaryHome, waitFor, type Platform } from '../support/platform.ts';

interface Listed {
  readonly sets: readonly { readonly id: string; readonly restorable: { readonly to: string } | null }[];
}

const row = { tenure: 1, MonthlyCharges: 29.85, TotalCharges: 29.85, SeniorCitizen: 0, Contract: 'Month-to-month' };
const texts = Object.fromEntries(
  ['gender', 'Partner', 'Dependents', 'PhoneService', 'MultipleLines', 'InternetService', 'OnlineSecurity']
    .concat(['OnlineBackup', 'DeviceProtection', 'TechSupport', 'StreamingTV', 'StreamingMovies', 'PaperlessBilling'])
    .map((name) => [name, 'No']),
);
const features = { ...row, ...texts, gender: 'Female', InternetService: 'DSL', PaymentMethod: 'Electronic check' };

describe('a running platform', () => {
  let platform: Platform;
  beforeAll(async () => {
    platform = await startPlatform(temporaryHome(), 240_000, { env: { SLUICE_BACKUP_LOG: 'ship' } });
  }, 300_000);
  afterAll(async () => {
    const code = await platform.stop();
    removeHome(platform.home);
    expect(code).toBe(0);
  });

  const predict = () =>
    platform.request<{ probability: number }>('POST', '/models/churn/predict', { entity_id: 'C-1', features });
  const keyNames = async (): Promise<readonly string[]> =>
    (await platform.request<{ keys: { name: string }[] }>('GET', '/keys')).keys.map(({ name }) => name);

  it('proves by a drill that its backup brings it back, while predictions and writes go on', async () => {
    const { probability } = await predict();
    const none = await platform.cli('backup', 'drill', '--target', 'nowhere');
    expect(none).toMatchObject({ code: 1 });
    expect(none.stderr).toContain('nowhere');
    await platform.cli('backup', 'now');
    const predicted = watch(async () => (await predict()).probability);
    const written = watch(async (n) => {
      const name = `during-the-drill-${String(n)}`;
      await platform.request('POST', '/keys', { name, permissions: ['monitor'] });
      return name;
    });
    const drill = await platform.cli('backup', 'drill', '--json');
    const [predictions, writes] = [await predicted.stop(), await written.stop()];
    expect(drill, drill.stderr).toMatchObject({ code: 0 });
    expect(JSON.parse(drill.stdout)).toMatchObject({ passed: true, failure: null });
    expect([...predictions.failures, ...writes.failures]).toEqual([]);
    expect(predictions.answers.length).toBeGreaterThan(10);
    expect(new Set(predictions.answers)).toEqual(new Set([probability]));
    expect(writes.answers.length).toBeGreaterThan(10);
    expect(await keyNames()).toEqual(expect.arrayContaining([...writes.answers]));
  }, 120_000);

  it('goes back to a named point by the command line, serves throughout, and forgets what came later', async () => {
    const { probability } = await predict();
    const taken = await platform.cli('backup', 'now');
    expect(taken, taken.stdout + taken.stderr).toMatchObject({ code: 0 });
    const named = await platform.cli('backup', 'point', 'before-the-mistake', '--json');
    expect(named, named.stderr).toMatchObject({ code: 0 });
    const point = JSON.parse(named.stdout) as { at: string; targets: string[] };
    expect(point.targets).toEqual(['folder']);
    await platform.request('POST', '/keys', { name: 'the-mistake', permissions: ['admin'] });
    const later = new Date().toISOString();
    await waitFor(
      async () => ((await platform.request<Listed>('GET', '/backups')).sets[0]?.restorable?.to ?? '') > later,
      60_000,
      'the log of the mistake in the target',
      500,
    );

    const unsure = await platform.cli('restore', '--to', 'point:before-the-mistake');
    expect(unsure).toMatchObject({ code: 4 });
    expect(unsure.stderr).toContain(`--confirm ${basename(platform.home)}`);
    const unknown = await platform.cli('restore', '--to', 'point:nowhere', '--confirm', basename(platform.home));
    expect(unknown).toMatchObject({ code: 4 });
    expect(unknown.stderr).toContain('nowhere');
    expect(await keyNames()).toContain('the-mistake');

    const watched = watch(async () => (await predict()).probability);
    const restored = await platform.cli(
      ...['restore', '--to', 'point:before-the-mistake', '--confirm', basename(platform.home)],
    );
    const { answers, failures } = await watched.stop();
    expect(restored, restored.stdout + restored.stderr).toMatchObject({ code: 0 });
    expect(restored.stdout).toMatch(/golden rows as before/);
    expect(restored.stdout).toMatch(/Epoch +2/);
    expect(restored.stderr + restored.stdout).toMatch(/restoring set .* beside what is in use/);
    expect(failures).toEqual([]);
    expect(new Set(answers)).toEqual(new Set([probability]));
    expect(await keyNames()).not.toContain('the-mistake');
    expect((await predict()).probability).toBe(probability);
    // Control writes are taken again, in the new epoch.
    await platform.request('POST', '/keys', { name: 'after', permissions: ['monitor'] });
  }, 240_000);
});

/** One request after the other until it is stopped; each gets its number. */
function watch<T>(ask: (n: number) => Promise<T>) {
  const answers: T[] = [];
  const failures: string[] = [];
  const state = { over: false };
  const run = async (): Promise<void> => {
    for (let n = 1; !state.over; n += 1) {
      await ask(n).then(
        (answer) => answers.push(answer),
        (error: unknown) => failures.push(String(error)),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const running = run();
  return {
    stop: async () => {
      state.over = true;
      await running;
      return { answers, failures };
    },
  };
}
