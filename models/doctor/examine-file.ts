import { readFile, stat } from 'node:fs/promises';
import { InferenceSession } from 'onnxruntime-node';
import type { Evaluation } from '../../domain/evaluation.ts';
import { encodedLayout } from '../../domain/encoding.ts';
import type { Signature } from '../../domain/signature.ts';
import { evaluate } from '../evaluation.ts';
import type { ForeignBinding } from '../manifest.ts';
import { bindForeignGraph } from '../serving/foreign-graph.ts';
import type { ForeignGraph } from '../serving/foreign-graph.ts';
import { createFeed } from '../serving/foreign-tensors.ts';
import { encodeLeniently } from '../serving/golden-proof.ts';
import { SESSION_OPTIONS } from '../serving/open-session.ts';
import { createStringTable } from '../serving/string-table.ts';
import { bindInputs } from './bind-inputs.ts';
import type { BoundInputs } from './bind-inputs.ts';
import { checkGraph } from './check-graph.ts';
import { checkProbabilities, chooseOutput } from './choose-output.ts';
import type { TrialOutput } from './choose-output.ts';
import type { ExaminedModel, ExamineRequest, Examination, Stage } from './examination.ts';
import { explainLoadError, reasonIn } from './explain-load-error.ts';
import { error, info, Unusable } from './finding.ts';
import type { Finding } from './finding.ts';
import { compareSamples, goldenSet, scoreRows } from './golden-set.ts';
import { MODEL_BYTES_MAX } from './limits.ts';
import { measureLatency } from './measure-latency.ts';
import { readGraph } from './read-graph.ts';
import type { GraphFacts } from './read-graph.ts';
import type { SampleRow } from './sample-row.ts';
import { draftSignature, settleSignature } from './settle-signature.ts';
import { sniffFile, unreadable } from './sniff-file.ts';
import { syntheticRows } from './synthetic-rows.ts';
import { readClassLabels } from './vocabulary.ts';

/** More than one row, and more than two: a shape that happens to fit is not enough. */
const TRIAL_ROWS = 3;
/** As the serving path lets through. */
const ROUNDING = 1e-5;
/** A row's answer must not depend on the rows beside it; another order of summing is no dependence. */
const TOGETHER_TOLERANCE = 1e-6;

const THREADS = {
  intraOp: 1,
  reason:
    'each serving process uses one core and runs the rows of one turn together; more threads would wait for each other',
} as const;

/**
 * Everything the doctor does with a file, in this process: only for a child process that may die of it.
 * @returns the findings; never throws for what is in the file
 */
export async function examineFile(request: ExamineRequest, onStage: (stage: Stage) => void): Promise<Examination> {
  try {
    onStage('reading');
    const bytes = await readModel(request.onnxPath);
    const facts = outline(bytes);
    const findings = checkGraph(facts);
    if (findings.some((f) => f.severity === 'error')) throw new Unusable(findings);
    const bound = bindInputs(facts, request.signature);
    onStage('loading');
    const session = await InferenceSession.create(bytes, SESSION_OPTIONS).catch((cause: unknown) => {
      throw new Unusable([explainLoadError(cause)]);
    });
    onStage('running');
    return await examineSession({ session, facts, bound, request, findings, bytes: bytes.length, onStage });
  } catch (cause) {
    if (cause instanceof Unusable) return { ok: false, findings: cause.findings };
    throw cause;
  }
}

interface Opened {
  readonly session: InferenceSession;
  readonly facts: GraphFacts;
  readonly bound: BoundInputs;
  readonly request: ExamineRequest;
  readonly findings: readonly Finding[];
  readonly bytes: number;
  readonly onStage: (stage: Stage) => void;
}

async function examineSession({
  session,
  facts,
  bound,
  request,
  bytes,
  onStage,
  ...opened
}: Opened): Promise<Examination> {
  const draft = draftSignature(bound, request, readClassLabels(facts));
  const outputs = await tryOutputs(session, draft, bound.input);
  const { output, findings: outputFindings } = chooseOutput(outputs, TRIAL_ROWS, request.signature?.output);
  const foreign: ForeignBinding = { input: bound.input, output };
  const settled = await settleSignature(draft, bound, bindForeignGraph(session, draft, foreign));
  const { signature } = settled;
  const graph = bindForeignGraph(session, signature, foreign);
  const { samples } = request;
  const sampled = await scoreRows(
    graph,
    samples.map((sample) => sample.features),
  );
  const rows = goldenSet(signature, samples);
  const probabilities = await scoreRows(graph, rows);
  const wrong = [
    checkProbabilities(probabilities, ROUNDING),
    compareSamples(samples, sampled),
    await checkTogether(graph, signature, rows, probabilities),
  ].filter((finding) => finding !== null);
  if (wrong.length > 0) throw new Unusable(wrong);
  const golden = rows.map((features, i) => ({ features, probability: probabilities[i] as number }));
  onStage('measuring');
  const { latency, performance } = await measureLatency(graph, golden, bytes);
  const model: ExaminedModel = {
    signature,
    foreign,
    golden,
    evaluation: evaluateSamples(samples, sampled, signature.threshold),
    performance,
    latency,
    producer: facts.producer,
    opsets: opsetsOf(facts),
    threads: THREADS,
  };
  const notes = [...outputFindings, ...settled.findings, ...inputNotes(bound, request)];
  return { ok: true, findings: [...opened.findings, ...notes], model };
}

/** Some converters name a set twice. */
function opsetsOf({ opsets }: GraphFacts): string {
  return [...new Set(opsets.map(({ domain, version }) => `${domain === '' ? 'ai.onnx' : domain} ${version}`))].join(
    ', ',
  );
}

async function readModel(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > MODEL_BYTES_MAX) {
    const message = `The file has ${size} bytes, at most ${MODEL_BYTES_MAX} are taken`;
    throw new Unusable([error('file', message, 'use fewer or shallower trees, or quantise the weights')]);
  }
  const bytes = await readFile(path);
  const other = sniffFile(bytes);
  if (other !== null) throw new Unusable([other]);
  return bytes;
}

function outline(bytes: Buffer): GraphFacts {
  try {
    return readGraph(bytes);
  } catch (cause) {
    throw new Unusable([unreadable(bytes, cause)]);
  }
}

/** Runs a few rows for all tensor outputs. @throws Unusable when the graph does not run, or only row by row */
async function tryOutputs(
  session: InferenceSession,
  draft: Signature,
  input: ForeignBinding['input'],
): Promise<readonly TrialOutput[]> {
  const strings = createStringTable();
  const { width } = encodedLayout(draft.features);
  const feed = createFeed({ input, output: { name: '', column: 0 } }, width, strings);
  const tensors = session.outputMetadata.filter((o) => o.isTensor).map((o) => o.name);
  const run = async (count: number): Promise<InferenceSession.OnnxValueMapType> => {
    const matrix = encodeLeniently(draft, syntheticRows(draft.features, count), strings);
    return session.run(feed(matrix, count), tensors);
  };
  try {
    const outputs = await run(TRIAL_ROWS);
    return Object.entries(outputs).map(([name, { type, dims }]) => ({ name, type, dims }));
  } catch (cause) {
    const alone = await run(1).then(
      () => true,
      () => false,
    );
    throw new Unusable([alone ? onlyAlone(cause) : doesNotRun(cause)]);
  }
}

function onlyAlone(cause: unknown): Finding {
  const message = `The graph answers one row, but not several together: ${reasonIn(String(cause))}`;
  const fix =
    "torch.onnx.export(..., dynamic_axes={'input': {0: 'n'}, 'output': {0: 'n'}}), and in the model x.reshape(x.shape[0], -1) in place of fixed sizes";
  return error('batch', message, fix);
}

function doesNotRun(cause: unknown): Finding {
  const text = cause instanceof Error ? cause.message : String(cause);
  const known = explainLoadError(cause);
  if (known.check !== 'load') return known;
  return error(
    'run',
    `The graph does not run: ${reasonIn(text)}`,
    'list the features with their types, categories and ranges in a signature file: the rows tried were made up',
  );
}

/** @returns an error when a row's answer changes with the rows beside it: they come from different callers */
async function checkTogether(
  graph: ForeignGraph,
  signature: Signature,
  rows: readonly Readonly<Record<string, unknown>>[],
  together: Float32Array,
): Promise<Finding | null> {
  for (const [i, row] of rows.entries()) {
    const matrix = new Float32Array(encodedLayout(signature.features).width);
    graph.encoder.encode(row, matrix, 0);
    const [alone = NaN] = await graph.run(matrix, 1);
    if (Math.abs(alone - (together[i] as number)) <= TOGETHER_TOLERANCE) continue;
    const message = `A row is answered ${alone} alone and ${together[i] as number} among others: answers would mix`;
    return error('batch', message, 'model.eval() before the export, and no operator over the axis of the rows');
  }
  return null;
}

/** Labels of one class alone say nothing about how well classes are told apart. */
function evaluateSamples(
  samples: readonly SampleRow[],
  probabilities: Float32Array,
  threshold: number,
): Evaluation | null {
  const labels = samples.map((sample) => sample.label);
  if (!labels.includes(0) || !labels.includes(1) || labels.includes(undefined)) return null;
  return evaluate(labels as (0 | 1)[], Array.from(probabilities), threshold);
}

function inputNotes({ input, features }: BoundInputs, { signature }: ExamineRequest): Finding[] {
  const notes: Finding[] = [];
  if (input.kind === 'matrix' && signature?.features === undefined) {
    const last = features.at(-1)?.name ?? '';
    notes.push(info('signature', `The matrix ${input.name} does not name its columns: they are called f0 to ${last}`));
  }
  const types = input.kind === 'matrix' ? [input.type] : input.columns.map((c) => c.type);
  if (types.includes('float64')) {
    notes.push(info('inputs', 'Inputs of type float64 are filled with the precision of float32'));
  }
  return notes;
}
