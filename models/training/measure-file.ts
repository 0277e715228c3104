import { stat } from 'node:fs/promises';
import type { Performance } from '../../domain/evaluation.ts';
import type { GoldenRow } from '../manifest.ts';
import { openScorer } from '../onnx/open-scorer.ts';
import type { MeasureJob } from './job.ts';

/** Before measuring: memory is mapped, code compiled, onnxruntime's arenas have grown. */
const WARM_UP_RUNS = 100;
/** 5 % of these lie above the p95: 25 runs carry it. */
const SINGLE_ROW_RUNS = 500;
const BATCH_ROWS = 1_000;
const BATCH_RUNS = 15;

/**
 * Speed of a model file with raw named inputs on one thread, in a process that does nothing else.
 * Rows per second is the median of batches, which one hiccup of the machine does not move.
 */
export async function measureFile(job: MeasureJob): Promise<Performance> {
  const { size } = await stat(job.onnxPath);
  const scorer = await openScorer(job);
  const row = (i: number) => (job.golden[i % job.golden.length] as GoldenRow).features;
  const timed = async (runs: number, rowsPerRun: number): Promise<Float64Array> => {
    const timesMs = new Float64Array(runs);
    for (let run = 0; run < runs; run += 1) {
      const rows = Array.from({ length: rowsPerRun }, (_, i) => row(run + i));
      const startMs = performance.now();
      await scorer.score(rows);
      timesMs[run] = performance.now() - startMs;
    }
    return timesMs.sort();
  };
  try {
    await timed(WARM_UP_RUNS, 1);
    const single = await timed(SINGLE_ROW_RUNS, 1);
    await timed(2, BATCH_ROWS);
    const batch = await timed(BATCH_RUNS, BATCH_ROWS);
    return {
      singleRowP50Ms: at(single, 0.5),
      singleRowP95Ms: at(single, 0.95),
      rowsPerSecond: (BATCH_ROWS / at(batch, 0.5)) * 1000,
      artefactBytes: size,
      runs: SINGLE_ROW_RUNS,
    };
  } finally {
    await scorer.release();
  }
}

/** Nearest-rank quantile of ascending values. */
function at(sorted: Float64Array, share: number): number {
  return sorted[Math.ceil(share * sorted.length) - 1] as number;
}
