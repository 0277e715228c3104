import { createReadStream, createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { DomainError } from '../../domain/errors.ts';
import type { Evaluation } from '../../domain/evaluation.ts';
import type { FeatureRow } from '../../domain/signature.ts';
import type { DataSet } from '../data/dataset.ts';
import { evaluate } from '../evaluation.ts';
import { openScorer } from '../onnx/open-scorer.ts';
import type { EvaluationJob } from './job.ts';

/** Rows scored at once: bounds what is in memory beside two numbers per row. */
const CHUNK_ROWS = 2_000;

interface HoldoutLine {
  readonly features: FeatureRow;
  readonly label: 0 | 1;
}

/** Writes the rows as JSON lines `{"features": {...}, "label": 0|1}`. The same rows give the same bytes. */
export async function writeHoldout(path: string, dataSet: DataSet, rows: Int32Array): Promise<void> {
  const partial = `${path}.${process.pid}.partial`;
  function* lines() {
    for (const row of rows) yield `${JSON.stringify({ features: dataSet.rawRow(row), label: dataSet.labels[row] })}\n`;
  }
  await pipeline(lines(), createWriteStream(partial));
  await rename(partial, path);
}

/**
 * Scores a model file on held-out rows, as any consumer of the file would.
 * @throws DomainError `artefactCorrupt` when the model cannot be loaded or a line cannot be read
 */
export async function evaluateFile(job: EvaluationJob): Promise<Evaluation> {
  const scorer = await openScorer(job);
  const labels: number[] = [];
  const probabilities: number[] = [];
  let chunk: FeatureRow[] = [];
  const flush = async (): Promise<void> => {
    for (const p of await scorer.score(chunk)) probabilities.push(p);
    chunk = [];
  };
  try {
    for await (const text of createInterface({ input: createReadStream(job.holdoutPath) })) {
      const line = parseLine(text, labels.length + 1);
      labels.push(line.label);
      chunk.push(line.features);
      if (chunk.length === CHUNK_ROWS) await flush();
    }
    await flush();
  } finally {
    await scorer.release();
  }
  return evaluate(labels, probabilities, job.signature.threshold);
}

function parseLine(text: string, number: number): HoldoutLine {
  try {
    const line = JSON.parse(text) as Partial<HoldoutLine>;
    if (typeof line.features === 'object' && (line.label === 0 || line.label === 1)) return line as HoldoutLine;
  } catch {
    // Reported below, with the place.
  }
  throw new DomainError(
    'artefactCorrupt',
    `Line ${number} of the held-out rows is not {"features": {...}, "label": 0|1}`,
  );
}
