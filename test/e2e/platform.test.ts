/** The platform's main job on real parts: `npm start`, then what a person does next, through the API, the CLI and Temporal's CLI. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeSecondDataset } from '../fixtures-generators/second-dataset.ts';
import { temporalProgram } from '../setup/temporal-binaries.ts';
import { sendBackByCalls, steerByHand, type SteeredModel } from './steer-a-rollout.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import {
  platformEnvironment,
  readPlatformState,
  removeHome,
  startPlatform,
  temporaryHome,
  waitFor,
  type Platform,
} from '../support/platform.ts';
import { customer } from '../support/customer.ts';
import { runRunbook } from '../support/runbook.ts';

interface Answer {
  request_id: string;
  model_version: number;
  variant: string;
  probability: number;
  label: string;
  risk: string;
  warnings: { field: string }[];
}
interface RolloutView {
  candidate: number;
  phase: string;
  reason: string | null;
  snapshot: { phase: string; weightPercent: number } | null;
}

/** A plan that ends in seconds; traffic still has to flow. */
const quickPlan = {
  steps: [
    { weightPercent: 20, bakeTimeMs: 2_000 },
    { weightPercent: 50, bakeTimeMs: 2_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  minRequests: 20,
  advance: 'noHarm' as const,
  observeEveryMs: 1_000,
  keepWarmMs: 2_000,
};

describe('the started platform', () => {
  let platform: Platform;
  /** Where it is backed up to, and the identity that opens it: all that is left of a machine that is lost. */
  const vault = mkdtempSync(join(tmpdir(), 'sluice-e2e-vault-'));
  const backedUp = { SLUICE_BACKUP_TARGETS: join(vault, 'target'), SLUICE_BACKUP_RECIPIENTS: '' };

  beforeAll(async () => {
    const { identity, recipient } = await newIdentity();
    writeFileSync(join(vault, 'key.txt'), `${identity}\n`, { mode: 0o600 });
    backedUp.SLUICE_BACKUP_RECIPIENTS = recipient;
    platform = await startPlatform(temporaryHome(), undefined, { env: backedUp });
  }, 300_000);

  afterAll(async () => {
    const code = await platform.stop();
    for (const folder of [platform.home, vault]) removeHome(folder);
    expect(code).toBe(0);
  });

  const predict = (entity: string, overrides: Record<string, unknown> = {}) =>
    platform.request<Answer>('POST', '/models/churn/predict', { entity_id: entity, features: customer(overrides) });

  const rollout = () => platform.request<RolloutView>('GET', '/rollouts/churn');
  /** Whether the newest rollout is of this version and in this phase. */
  const isIn = async (version: number, phase: string) => {
    const { candidate, snapshot } = await rollout();
    return candidate === version && snapshot?.phase === phase;
  };

  /** Keeps traffic flowing until the condition holds; no request may fail on the way. */
  async function predictUntil(done: () => Promise<boolean>, timeoutMs: number): Promise<Map<number, number>> {
    const answers = new Map<number, number>();
    let entity = 0;
    await waitFor(
      async () => {
        const batch = await Promise.all(Array.from({ length: 20 }, () => predict(`c-${entity++ % 400}`)));
        for (const answer of batch) answers.set(answer.model_version, (answers.get(answer.model_version) ?? 0) + 1);
        return done();
      },
      timeoutMs,
      'the rollout',
      50,
    );
    return answers;
  }

  /** The version that an earlier rollout brought and took back. */
  const steered = (): SteeredModel => {
    const predictSome = () => Promise.all(Array.from({ length: 20 }, (_, i) => predict(`s-${i}-${Date.now()}`)));
    return { platform, model: 'churn', version: 2, predictSome };
  };

  async function trainAnother(): Promise<number> {
    const trained = await platform.cli('train', 'churn', '--json');
    expect(trained.code, trained.stderr).toBe(0);
    const { versions } = await platform.request<{ versions: { version: number; status: string }[] }>(
      'GET',
      '/models/churn/versions',
    );
    expect(versions[0]?.status).toBe('accepted');
    return versions[0]!.version;
  }

  it('shows the address, the documents, the Temporal UI, a key, a curl that works, and a rollout to start', async () => {
    const screen = platform.output();
    expect(screen).toContain(platform.url);
    expect(screen).toContain('/docs');
    expect(screen).toContain('rollout start');
    expect(statSync(join(platform.home, 'first-key')).mode & 0o777).toBe(0o600);
    const curl = /^\s*(curl [\s\S]*?\}'?)\s*$/m.exec(screen)?.[1];
    expect(curl, screen).toBeDefined();
    const { stdout } = await promisify(execFile)('bash', ['-c', curl!]);
    expect(JSON.parse(stdout)).toMatchObject({ model: 'churn', model_version: 1, variant: 'champion' });
  });

  it('refuses a mistyped category, an impossible number and a wrong type, naming every field and what is allowed', async () => {
    const body = { features: customer({ Contract: 'Weekly', tenure: -5e9, MonthlyCharges: 'much' }) };
    const problem = await platform.request<{ problems: { field: string; allowed?: string[] }[] }>(
      'POST',
      '/models/churn/predict',
      body,
      422,
    );
    expect(problem.problems.map((p) => p.field).sort()).toEqual([
      'features.Contract',
      'features.MonthlyCharges',
      'features.tenure',
    ]);
    expect(problem.problems.find((p) => p.field === 'features.Contract')?.allowed).toContain('Month-to-month');
  });

  it('rolls a second version out by canary, answers from both on the way, takes feedback, and rolls back by hand', async () => {
    const version = await trainAnother();
    await platform.request('POST', '/rollouts', {
      model: 'churn',
      version,
      strategy: 'canary',
      plan: quickPlan,
      reason: 'test',
    });
    await platform.request('POST', '/rollouts', { model: 'churn', version, strategy: 'canary' }, 409);

    const answers = await predictUntil(() => isIn(version, 'promoted'), 90_000);
    expect([...answers.keys()].sort()).toEqual([1, version]);

    const answered = await predict('c-feedback');
    expect(answered.model_version).toBe(version);
    const feedback = await waitFor(
      async () => {
        const result = await platform.request<{ matched: number }>('POST', '/feedback', {
          request_id: answered.request_id,
          label: 'Yes',
        });
        return result.matched === 1 ? result : null;
      },
      10_000,
      'the record to be written behind',
    );
    expect(feedback.matched).toBe(1);

    const back = await platform.cli('rollout', 'rollback', 'churn', '--yes', '--reason', 'test', '--json');
    expect(back.code, back.stderr).toBe(0);
    await waitFor(
      async () => (await predict('c-after')).model_version === 1,
      30_000,
      'the first version to answer again',
    );
    // The way back is a rollout too: its old version is kept warm until somebody, or the time, ends it.
    await waitFor(() => isIn(1, 'keepWarm'), 20_000, 'the way back to reach 100 %');
    const settled = await platform.cli('rollout', 'promote', 'churn', '--reason', 'test', '--json');
    expect(settled.code, settled.stderr).toBe(0);
    await waitFor(() => isIn(1, 'promoted'), 20_000, 'the end of the way back');
  });

  it('pauses, resumes and aborts a blue-green rollout that the Temporal CLI started', async () => {
    const version = await trainAnother();
    const temporal = await temporalProgram();
    const { address } = readPlatformState(platform.home).temporal;
    const input = JSON.stringify({ model: 'churn', version, strategy: 'blue-green' });
    const start = ['workflow', 'start', '--address', address, '--type', 'rolloutModel', '--task-queue', 'sluice'];
    await promisify(execFile)(temporal, [...start, '--workflow-id', 'rollout/churn', '--input', input]);
    await waitFor(() => isIn(version, 'running'), 20_000, 'the rollout to run');
    for (const [command, phase] of [
      ['pause', 'paused'],
      ['resume', 'running'],
    ] as const) {
      const done = await platform.cli('rollout', command, 'churn', '--reason', 'test', '--json');
      expect(done.code, done.stderr).toBe(0);
      expect((await rollout()).snapshot?.phase).toBe(phase);
    }
    const aborted = await platform.cli('rollout', 'abort', 'churn', '--yes', '--reason', 'test', '--json');
    expect(aborted.code, aborted.stderr).toBe(0);
    await waitFor(() => isIn(version, 'aborted'), 20_000, 'the end of the rollout');
    await waitFor(async () => (await predict('c-aborted')).model_version === 1, 10_000, 'the champion to answer');
  });

  it('pauses, freezes, hurries, stops and promotes by hand, with metrics that are the numbers shown', async () => {
    await steerByHand(steered());
    await waitFor(async () => (await predict('c-back')).model_version === 1, 10_000, 'the champion to answer');
  });

  it('sends a rollout back when somebody calls, by the API and by the CLI', () => sendBackByCalls(steered()));

  it('ends a rollout started from Temporal with a wrong input at once, naming the field and what is allowed', async () => {
    const temporal = await temporalProgram();
    const { address } = readPlatformState(platform.home).temporal;
    const input = JSON.stringify({ model: 'churn', version: 'two', strategy: 'canarry' });
    const args = [
      'workflow',
      'execute',
      '--address',
      address,
      '--type',
      'rolloutModel',
      '--task-queue',
      'sluice',
      '--workflow-id',
      'wrong',
    ];
    const failure: unknown = await promisify(execFile)(temporal, [...args, '--input', input]).catch(
      (error: unknown) => error,
    );
    const text = JSON.stringify(failure) + String((failure as { stdout?: string }).stdout);
    expect(text).toMatch(/version/);
    expect(text).toMatch(/canary/);
  });

  it('takes a second, quite different data set from a file to answers, knowing nothing of it', async () => {
    const { csvPath, rows } = await writeSecondDataset(platform.home, { seed: 7, rows: 1_500 });
    const { failed, plant, 'last service': service, 'machine id': entity, ...row } = rows[0]!;
    const definition = join(platform.home, 'machines.yaml');
    const init = await platform.cli('init', csvPath, '--target', 'failed', '--name', 'machines', '--out', definition);
    expect(init.code, init.stderr).toBe(0);
    const trained = await platform.cli('train', definition, '--rollout', '--json');
    expect(trained.code, trained.stderr + trained.stdout).toBe(0);
    const answer = await waitFor(
      () =>
        platform
          .request<Answer>('POST', '/models/machines/predict', { entity_id: entity, features: row })
          .catch(() => null),
      60_000,
      'the second model to serve',
    );
    expect(answer.probability).toBeGreaterThan(0);
    expect((await predict('still-there')).model_version).toBe(1);
  });

  it('keeps the key out of every log', () => {
    const logs = ['api.log', 'worker.log']
      .map((name) => readFileSync(join(platform.home, 'logs', name), 'utf8'))
      .join('');
    expect(logs.length).toBeGreaterThan(0);
    expect(logs).not.toContain(platform.key);
  });

  it('comes back on another machine after everything but the target was destroyed, with the same predictions bit for bit', async () => {
    const ask = async () => {
      const answers = await Promise.all(
        Array.from({ length: 25 }, (_, i) => predict(`c-${i}`, { tenure: i * 2, MonthlyCharges: 20 + i * 3.7 })),
      );
      return answers.map(({ probability, model_version, label }) => ({ probability, model_version, label }));
    };
    const before = await ask();
    expect(new Set(before.map(({ probability }) => probability)).size).toBeGreaterThan(10);
    const backup = await platform.cli('backup', 'now', '--json');
    expect(backup.code, backup.stderr + backup.stdout).toBe(0);
    expect(await platform.stop()).toBe(0);
    removeHome(platform.home);

    const home = temporaryHome();
    const instead = { 's3://bucket/sluice': join(vault, 'target'), 'key.txt': join(vault, 'key.txt') };
    const up = async (): Promise<void> => {
      platform = await startPlatform(home, undefined, { env: backedUp });
    };
    const done = await runRunbook('lost-machine', { env: platformEnvironment(home), instead, up });
    expect(done).toEqual(['restore --target --identity --preview', 'restore --target --identity', 'up']);
    expect(await ask()).toEqual(before);
    // What the pages say to do next: nothing of it needs the machine that is gone.
    for (const words of [
      ['keys', 'list'],
      ['backup', 'now'],
    ]) {
      const next = await platform.cli(...words, '--json');
      expect(next.code, next.stderr + next.stdout).toBe(0);
    }
  });
});
