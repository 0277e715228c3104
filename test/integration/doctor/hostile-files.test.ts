import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { examine } from '../../../models/doctor/examine.ts';
import type { ExamineControl } from '../../../models/doctor/examine.ts';
import { withModelFile } from '../../support/examine-bytes.ts';
import { floats, int64s, node, onnxFile, tensor } from '../../support/onnx-file.ts';
import { openImportWorld } from './import-world.ts';
import type { ImportWorld } from './import-world.ts';

const examineBytes = (bytes: Uint8Array, control: Partial<ExamineControl> = {}) =>
  withModelFile(bytes, {}, (request) => examine(request, { signal: new AbortController().signal, ...control }));

/** Adds a sum over a tensor of as many floats to the answer. */
const filling = (count: number) =>
  onnxFile({
    nodes: [
      // The shape depends on the input: nothing can be folded into a constant before the run.
      node('Shape', ['input'], ['shape']),
      node('Mul', ['shape', 'times'], ['wide']),
      node('ConstantOfShape', ['wide'], ['zeros']),
      node('ReduceSum', ['zeros'], ['sum']),
      node('Add', ['input', 'sum'], ['logit']),
      node('Sigmoid', ['logit'], ['probability']),
    ],
    constants: [int64s('times', [count, 1])],
  });

/** Squares a matrix of as many rows again and again. */
const squaring = (rows: number, times: number) =>
  onnxFile({
    nodes: [
      node('ReduceMean', ['input'], ['mean']),
      node('Expand', ['mean', 'size'], ['m0']),
      ...Array.from({ length: times }, (_, i) => node('MatMul', [`m${i}`, `m${i}`], [`m${i + 1}`])),
      node('ReduceMean', [`m${times}`], ['end']),
      node('Mul', ['end', 'zero'], ['nothing']),
      node('Add', ['input', 'nothing'], ['logit']),
      node('Sigmoid', ['logit'], ['probability']),
    ],
    constants: [int64s('size', [rows, rows]), floats('zero', [1], [0])],
  });

const doctors = (): string[] => {
  try {
    return execFileSync('pgrep', ['-P', String(process.pid), '-f', 'models/doctor/child'], { encoding: 'utf8' })
      .trim()
      .split('\n');
  } catch {
    return [];
  }
};

describe('a file that harms its reader', () => {
  it('that asks for terabytes is refused with what it asked for', async () => {
    expect(await examineBytes(filling(1e12))).toMatchObject({
      ok: false,
      findings: [{ check: 'memory', message: expect.stringMatching(/asks for \d{12,} bytes/) }],
    });
  });

  it('that fills the memory is ended at the limit', async () => {
    // 8 GB a row, given piece by piece: no single request is refused.
    const examined = await examineBytes(filling(2e9), { memoryMb: 600 });
    expect(examined).toMatchObject({
      ok: false,
      findings: [{ check: 'memory', message: 'The model needs more than 600 MB of memory; the doctor was running it' }],
    });
  });

  it('that takes for ever is ended at the time limit', async () => {
    const examined = await examineBytes(squaring(4_000, 500), { timeoutMs: 4_000 });
    expect(examined).toMatchObject({
      ok: false,
      findings: [{ check: 'time', message: 'The examination did not end within 4 s; it was running the model' }],
    });
    expect(doctors()).toEqual([]);
  });

  it('that nests without end, is noise, or is cut off is no model', async () => {
    const nested = Array.from({ length: 20_000 }).reduce<Buffer>(
      (inner) => {
        const length = Buffer.alloc(5);
        for (let i = 0, rest = inner.length; i < 5; i += 1, rest = Math.floor(rest / 128)) {
          length[i] = (rest % 128) + (i < 4 ? 128 : 0);
        }
        return Buffer.concat([Buffer.from([0x3a]), length, inner]);
      },
      Buffer.from([0x08, 0x01]),
    );
    const whole = onnxFile();
    for (const bytes of [nested, Buffer.concat([Buffer.from([8]), randomBytes(50_000)]), whole.subarray(0, 40)]) {
      expect(await examineBytes(bytes)).toMatchObject({ ok: false, findings: [{ check: 'file' }] });
    }
  });

  it('says that somebody else killed the doctor, which is no finding about the file', async () => {
    const examining = examineBytes(squaring(4_000, 500));
    const failed = expect(examining).rejects.toMatchObject({ code: 'unavailable' });
    await vi.waitFor(() => expect(doctors()).toHaveLength(1));
    process.kill(Number(doctors()[0]), 'SIGKILL');
    await failed;
  });

  it('is let go of when the caller gives up', async () => {
    const caller = new AbortController();
    const examining = examineBytes(squaring(4_000, 500), { signal: caller.signal });
    const failed = expect(examining).rejects.toThrow('enough');
    await vi.waitFor(() => expect(doctors()).toHaveLength(1));
    caller.abort(new Error('enough'));
    await failed;
    expect(doctors()).toEqual([]);
  });
});

describe('an API that is sent such files', () => {
  let world: ImportWorld;
  beforeAll(async () => {
    world = await openImportWorld();
    const { json } = await world.importModel(
      'good',
      onnxFile({ inputs: [tensor('x', ['n', 1])], nodes: [node('Sigmoid', ['x'], ['probability'])] }),
    );
    await world.route('good', json.version);
  });
  afterAll(() => world.close());

  it('answers on meanwhile, and holds none of their memory', async () => {
    const rssBefore = process.memoryUsage().rss;
    let peakRss = 0;
    const hostile = { done: false };
    const refused = world.importModel('bad', filling(2e9)).finally(() => (hostile.done = true));
    const statuses = new Set<number>();
    while (!hostile.done) {
      statuses.add((await world.post('/models/good/predict', { features: { x: 0.5 } })).status);
      peakRss = Math.max(peakRss, process.memoryUsage().rss);
    }
    expect(await refused).toMatchObject({ status: 422, json: { problems: [{ field: 'memory' }] } });
    expect([...statuses]).toEqual([200]);
    expect(peakRss - rssBefore).toBeLessThan(200 * 1024 * 1024);
    expect(await world.registry.models.find('bad')).toBeNull();
  });

  it('stops examining when its caller hangs up', async () => {
    const caller = new AbortController();
    const headers = { 'x-api-key': world.key, 'content-type': 'application/octet-stream' };
    const init = { method: 'POST', headers, body: squaring(4_000, 500), signal: caller.signal };
    const left = expect(fetch(`${world.url}/models/left/versions`, init as RequestInit)).rejects.toThrow();
    await vi.waitFor(() => expect(doctors()).toHaveLength(1), { timeout: 5_000 });
    caller.abort();
    await left;
    await vi.waitFor(() => expect(doctors()).toEqual([]), { timeout: 5_000 });
  });

  it('examines one at a time, and says so to the next', async () => {
    const both = await Promise.all([
      world.importModel('first', onnxFile()),
      world.importModel('second', onnxFile({ irVersion: 7 })),
    ]);
    const statuses = both.map((answer) => answer.status).sort();
    expect(statuses).toEqual([201, 503]);
  });
});
