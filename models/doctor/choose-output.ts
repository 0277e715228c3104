import type { ForeignBinding } from '../manifest.ts';
import { error, info, Unusable } from './finding.ts';
import type { Finding } from './finding.ts';

/** What a trial run gave for one output. */
export interface TrialOutput {
  readonly name: string;
  readonly type: string;
  readonly dims: readonly number[];
}

/** Names converters give to the probabilities, the surest first. */
const USUAL_NAMES = ['probabilities', 'output_probability', 'probability'];

const PROBABILITIES =
  "sklearn and LightGBM: convert the classifier, not its regressor or raw scores, with options={id(model): {'zipmap': False}}; " +
  "PyTorch: torch.onnx.export(torch.nn.Sequential(model, torch.nn.Sigmoid()), ..., output_names=['probability'])";

interface Candidate {
  readonly name: string;
  readonly width: number;
}

/**
 * The tensor and column with the probability of the positive class.
 * @param rows of the trial run
 * @throws Unusable when there is none, or when several could be meant
 */
export function chooseOutput(
  outputs: readonly TrialOutput[],
  rows: number,
  stated: { readonly name?: string | undefined; readonly column?: number | undefined } | undefined,
): { readonly output: ForeignBinding['output']; readonly findings: readonly Finding[] } {
  const candidates = outputs.flatMap(({ name, type, dims }): Candidate[] => {
    const fits = (type === 'float32' || type === 'float64') && dims[0] === rows && dims.length <= 2;
    return fits ? [{ name, width: dims[1] ?? 1 }] : [];
  });
  const chosen = stated?.name === undefined ? choose(candidates, outputs) : named(stated.name, candidates, outputs);
  const column = stated?.column ?? columnOf(chosen);
  if (column >= chosen.width) {
    const message = `The output ${chosen.name} has ${chosen.width} columns, and the signature names column ${column}`;
    throw new Unusable([error('output', message, `output: { name: ${chosen.name}, column: ${chosen.width - 1} }`)]);
  }
  const place = chosen.width === 1 ? chosen.name : `${chosen.name}[:, ${column}]`;
  const others = outputs.filter((o) => o.name !== chosen.name).map((o) => o.name);
  const aside = others.length === 0 ? '' : `; not read: ${others.join(', ')}`;
  const findings = [info('output', `The probability of the positive class is read from ${place}${aside}`)];
  return { output: { name: chosen.name, column }, findings };
}

function named(name: string, candidates: readonly Candidate[], outputs: readonly TrialOutput[]): Candidate {
  const found = candidates.find((c) => c.name === name);
  if (found !== undefined) return found;
  const message = `The signature names the output ${name}, which is no float tensor with a row per row (${shapes(outputs)})`;
  throw new Unusable([error('output', message, `output: { name: ONE_OF_THEM, column: 0 }`)]);
}

function choose(candidates: readonly Candidate[], outputs: readonly TrialOutput[]): Candidate {
  const usual = USUAL_NAMES.flatMap((name) => candidates.filter((c) => c.name === name));
  const groups = [usual, candidates.filter((c) => c.width === 2), candidates.filter((c) => c.width === 1), candidates];
  const [group = []] = groups.filter((g) => g.length > 0);
  const [first] = group;
  if (first === undefined) {
    const message = `No output holds probabilities: ${shapes(outputs)}`;
    throw new Unusable([error('output', message, PROBABILITIES)]);
  }
  if (group.length > 1 && group !== usual) {
    const names = group.map((c) => c.name);
    const message = `Several outputs may hold the probability: ${names.join(', ')}`;
    throw new Unusable([
      error('output', message, `say which in the signature file: output: { name: ${names.at(-1) ?? ''} }`),
    ]);
  }
  return first;
}

/** Of two columns the second is the positive class, as in `predict_proba`. */
function columnOf({ name, width }: Candidate): number {
  if (width <= 2) return width - 1;
  const message = `The output ${name} has ${width} columns: one per class? This platform answers one probability`;
  const fix = `name the column of the positive class in the signature file: output: { name: ${name}, column: 1 }`;
  throw new Unusable([error('output', message, fix)]);
}

const shapes = (outputs: readonly TrialOutput[]): string =>
  outputs.map((o) => `${o.name} is ${o.type} [${o.dims.join(', ')}]`).join('; ') || 'it gives no tensor';

/** @returns an error when the values are not probabilities */
export function checkProbabilities(values: Float32Array, rounding: number): Finding | null {
  if (values.every((value) => value >= -rounding && value <= 1 + rounding)) return null;
  if (values.some((value) => !Number.isFinite(value))) {
    const message = 'Some rows are answered with no number';
    return error(
      'output',
      message,
      'give ranges in the signature file: the rows tried may be far outside the training',
    );
  }
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return error('output', `The answers lie between ${low} and ${high}, which are no probabilities`, PROBABILITIES);
}
