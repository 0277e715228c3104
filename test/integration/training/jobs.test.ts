import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { loadModel } from '../../../models/serving/load-model.ts';
import { createJobs } from '../../../models/training/create-jobs.ts';
import type { TrainingJob, TrainingOutcome } from '../../../models/training/job.ts';
import { control, exampleJob, lightgbmLibrary } from './example-job.ts';

const jobs = createJobs();
const digest = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const childrenOf = (pid: number): number[] => {
  try {
    const lines = execFileSync('pgrep', ['-P', String(pid), '-f', 'models/training/child'], { encoding: 'utf8' });
    return lines.trim().split('\n').map(Number);
  } catch {
    return [];
  }
};
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a training job', () => {
  it('goes from a data file to a model file that the other jobs can score, measure and compare', async () => {
    const job = await exampleJob({ rows: 900, lightgbmLibrary: await lightgbmLibrary() });
    const watched = control();
    const outcome = await jobs.train(job, watched);
    expect(Object.keys(outcome.crossValidation)).toEqual(['spline-logistic', 'gradient-boosting']);
    expect(outcome.evaluation.auc).toBeGreaterThan(0.75);
    expect(outcome.evaluation.rows).toBe(outcome.holdoutRows);
    expect(outcome.signature.target).toEqual({ column: 'outcome', positive: 'bought', negative: 'left' });
    expect(outcome.evaluation.threshold).toBe(outcome.signature.threshold);
    expect(outcome.golden.length).toBeGreaterThan(20);
    expect(outcome.golden.length).toBeLessThanOrEqual(32);
    expect(outcome.golden.some((g) => Object.values(g.features).includes(null))).toBe(true);
    expectProgress(watched.seen.map((p) => [p.done, p.total]));

    const { onnxPath, signature, holdoutPath, golden } = outcome;
    expect(await jobs.evaluate({ onnxPath, signature, holdoutPath }, control())).toEqual(outcome.evaluation);
    const performance = await jobs.measure({ onnxPath, signature, golden }, control());
    expect(performance.singleRowP50Ms).toBeGreaterThan(0);
    expect(performance.singleRowP95Ms).toBeGreaterThanOrEqual(performance.singleRowP50Ms);
    expect(performance.rowsPerSecond).toBeGreaterThan(100);
    expect(performance.runs).toBeGreaterThanOrEqual(300);
    expect(performance.artefactBytes).toBe((await stat(onnxPath)).size);
  });

  function expectProgress(steps: [number, number][]): void {
    const total = steps[0]![1];
    expect(steps).toEqual(Array.from({ length: total }, (_, i) => [i + 1, total]));
  }

  /** The serving path takes the file and proves it on the golden rows. */
  async function loadForServing({ onnxPath, ...outcome }: TrainingOutcome): Promise<void> {
    const onnx = await readFile(onnxPath);
    const { algorithm, signature, evaluation, golden } = outcome;
    const none = { digest: '', bytes: 0, rows: 0 };
    const manifest = { formatVersion: 1, model: 'shop', algorithm, signature, evaluation, golden } as const;
    const model = await loadModel({ onnx, manifest: { ...manifest, onnx: none, holdout: none } });
    await model.close();
  }

  it.each(['spline-logistic', 'gradient-boosting'] as const)(
    'gives the same files by %s in two processes and two folders',
    async (algorithm) => {
      const library = await lightgbmLibrary();
      const files = async (job: TrainingJob): Promise<{ outcome: TrainingOutcome; digests: string[] }> => {
        const outcome = await jobs.train(job, control());
        return { outcome, digests: [await digest(outcome.onnxPath), await digest(outcome.holdoutPath)] };
      };
      const one = await files(await exampleJob({ algorithms: [algorithm], lightgbmLibrary: library }));
      const two = await files(await exampleJob({ algorithms: [algorithm], lightgbmLibrary: library }));
      expect(one.digests).toEqual(two.digests);
      expect(one.outcome.onnxPath).not.toBe(two.outcome.onnxPath);
      await loadForServing(one.outcome);
      expect({ ...one.outcome, onnxPath: '', holdoutPath: '' }).toEqual({
        ...two.outcome,
        onnxPath: '',
        holdoutPath: '',
      });
    },
  );

  it('goes on where it was when its process was killed, to the same file', async () => {
    const job = await exampleJob();
    const interrupted = control({
      onProgress: (p) => {
        if (p.done === 8) for (const pid of childrenOf(process.pid)) process.kill(pid, 'SIGKILL');
      },
    });
    await expect(jobs.train(job, interrupted)).rejects.toMatchObject({ code: 'unavailable' });
    const folder = join(job.workDir, 'checkpoints');
    const finished = (await readdir(folder)).filter((f) => f.endsWith('.json'));
    expect(finished.length).toBeGreaterThanOrEqual(7);
    const times = async () => Promise.all(finished.map(async (f) => (await stat(join(folder, f))).mtimeMs));
    const before = await times();
    const resumed = await jobs.train(job, control());
    expect(await times()).toEqual(before);
    const whole = await jobs.train(await exampleJob(), control());
    expect(await digest(resumed.onnxPath)).toBe(await digest(whole.onnxPath));
    expect(resumed.signature).toEqual(whole.signature);
  });

  it('does not take checkpoints of other data, another seed or another definition, and survives a broken one', async () => {
    const job = await exampleJob({ algorithms: ['spline-logistic'] });
    await jobs.train(job, control());
    const folder = join(job.workDir, 'checkpoints');
    const count = async () => (await readdir(folder)).length;
    const each = await count();
    await jobs.train({ ...job, seed: 8 }, control());
    expect(await count()).toBe(2 * each);
    const training = { ...job.definition.training, folds: 4 };
    await jobs.train({ ...job, definition: { ...job.definition, training } }, control());
    expect(await count()).toBe(3 * each);
    await writeFile(job.dataPath, (await readFile(job.dataPath, 'utf8')).replace(/^id-3,.*\n/m, ''));
    await jobs.train(job, control());
    expect(await count()).toBe(4 * each);
    for (const file of await readdir(folder)) await writeFile(join(folder, file), '{"cut off');
    await jobs.train(job, control());
  });

  it('says that gradient boosting is left out without its library, and how to get it when nothing else was asked', async () => {
    const outcome = await jobs.train(await exampleJob(), control());
    expect(outcome.algorithm).toBe('spline-logistic');
    expect(outcome.notes.join('\n')).toMatch(/gradient-boosting is left out.*LIGHTGBM_LIBRARY/);
    const only = jobs.train(await exampleJob({ algorithms: ['gradient-boosting'] }), control());
    await expect(only).rejects.toMatchObject({
      code: 'trainingFailed',
      message: expect.stringMatching(/LIGHTGBM_LIBRARY/),
    });
  });

  it('carries the problems of the data over', async () => {
    const job = await exampleJob();
    await writeFile(job.dataPath, 'key,outcome\na,bought\n');
    const failure = jobs.train(job, control());
    await expect(failure).rejects.toMatchObject({ name: 'DomainError', code: 'dataInvalid' });
    await expect(failure).rejects.toSatisfy((e: { problems: unknown[] }) => e.problems.length > 0);
    await expect(jobs.checkData(job, control())).resolves.toMatchObject({ ok: false });
  });
});

describe('the process of a job', () => {
  it('is killed when the signal fires, and the reason is what the caller gets', async () => {
    const abort = new AbortController();
    const job = await exampleJob();
    let pids: number[] = [];
    const running = jobs.train(
      job,
      control({
        signal: abort.signal,
        onProgress: (p) => {
          if (p.done !== 3) return;
          pids = childrenOf(process.pid);
          abort.abort(new Error('not wanted any more'));
        },
      }),
    );
    await expect(running).rejects.toThrow('not wanted any more');
    expect(pids).toHaveLength(1);
    expect(isAlive(pids[0]!)).toBe(false);
    await expect(jobs.train(job, control({ signal: abort.signal }))).rejects.toThrow('not wanted any more');
  });

  it('that runs out of memory says so, and how much it had', async () => {
    const job = await exampleJob({ rows: 30_000 });
    const failure = jobs.train(job, control({ memoryMb: 12 }));
    await expect(failure).rejects.toMatchObject({
      code: 'trainingFailed',
      message: expect.stringMatching(/ran out of its 12 MB of memory/),
    });
  });

  it('ends when its parent is killed', async () => {
    const job = await exampleJob({ rows: 20_000 });
    const script = `
      const { createJobs } = await import(process.argv[1]);
      const control = { onProgress: (p) => process.stdout.write(p.stage + '\\n'), signal: new AbortController().signal, memoryMb: 512 };
      await createJobs().train(JSON.parse(process.argv[2]), control);
    `;
    const entry = fileURLToPath(new URL('../../../models/training/create-jobs.ts', import.meta.url));
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script, entry, JSON.stringify(job)];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(parent.stdout, 'data');
    const [child] = childrenOf(parent.pid!);
    expect(child).toBeDefined();
    parent.kill('SIGKILL');
    await vi.waitFor(() => expect(isAlive(child!)).toBe(false), { timeout: 20_000, interval: 50 });
  });
});
