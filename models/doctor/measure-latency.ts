import type { Performance } from '../../domain/evaluation.ts';
import type { GoldenRow } from '../manifest.ts';
import type { ForeignGraph } from '../serving/foreign-graph.ts';
import type { BatchLatency } from './examination.ts';

const BATCH_SIZES = [1, 8, 64, 256, 1_000] as const;
/** Memory is mapped, code compiled, onnxruntime's arenas have grown. */
const WARM_UP_RUNS = 20;
/** 5 % of these lie above the p95: 20 runs carry it. */
const RUNS_MAX = 400;
const RUNS_MIN = 5;
/** A slow model is measured less often, so that all sizes together stay within seconds. */
const BUDGET_MS = 700;

/** Latency against batch size, on one thread, in a process that does nothing else. */
export async function measureLatency(
  graph: ForeignGraph,
  golden: readonly GoldenRow[],
  artefactBytes: number,
): Promise<{ readonly latency: readonly BatchLatency[]; readonly performance: Performance }> {
  const latency: BatchLatency[] = [];
  let runs = 0;
  for (const rows of BATCH_SIZES) {
    const timesMs = await timeRuns(graph, golden, rows);
    if (rows === 1) runs = timesMs.length;
    const p50Ms = quantile(timesMs, 0.5);
    latency.push({ rows, p50Ms, p95Ms: quantile(timesMs, 0.95), rowsPerSecond: (rows / p50Ms) * 1000 });
  }
  const single = latency[0] as BatchLatency;
  const largest = latency.at(-1) as BatchLatency;
  return {
    latency,
    performance: {
      singleRowP50Ms: single.p50Ms,
      singleRowP95Ms: single.p95Ms,
      rowsPerSecond: largest.rowsPerSecond,
      artefactBytes,
      runs,
    },
  };
}

/** Ascending times of runs of `rows` rows, ms. */
async function timeRuns(graph: ForeignGraph, golden: readonly GoldenRow[], rows: number): Promise<readonly number[]> {
  const { encoder, run } = graph;
  const once = async (): Promise<void> => {
    const matrix = new Float32Array(rows * encoder.width);
    for (let i = 0; i < rows; i += 1) {
      encoder.encode((golden[i % golden.length] as GoldenRow).features, matrix, i * encoder.width);
    }
    await run(matrix, rows);
  };
  const begunMs = performance.now();
  for (let i = 0; i < WARM_UP_RUNS && performance.now() - begunMs < BUDGET_MS / 2; i += 1) await once();
  const timesMs: number[] = [];
  const endMs = performance.now() + BUDGET_MS;
  while (timesMs.length < RUNS_MAX && (timesMs.length < RUNS_MIN || performance.now() < endMs)) {
    const startMs = performance.now();
    await once();
    timesMs.push(performance.now() - startMs);
  }
  return timesMs.sort((a, b) => a - b);
}

/** Nearest-rank quantile of ascending values. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] as number;
}
