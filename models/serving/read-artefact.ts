import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { CATEGORY_MISSING, CATEGORY_UNKNOWN, ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import type { FeatureSpec, Signature } from '../../domain/signature.ts';
import { deriveCoreGraph } from './core-graph.ts';
import { sliceModel } from './sliced-model.ts';
import type { SlicedModel, SlicedNode } from './sliced-model.ts';

const { TensorProto } = proto.onnx;

/** What the serving path needs of `model.onnx`. */
export interface ReadArtefact {
  /** The graph behind the encoders: `features` float `[N, F]` -> `probability` float `[N, 1]`. */
  readonly coreBytes: Uint8Array;
  /** Categories by feature in the order of their codes, as the graph's encoders hold them. */
  readonly vocabularies: ReadonlyMap<string, readonly string[]>;
}

/**
 * Reads an ONNX file written by the platform's convention: one named input `[N, 1]` per feature in signature order,
 * categories through a LabelEncoder, one Concat into `features`, floats from there to `probability`.
 * This is the one place that knows the convention; graphs of other make get a reader of their own beside this one.
 * @throws DomainError `artefactCorrupt` when the bytes are no ONNX model, or naming everything that is off
 */
export function readArtefact(bytes: Uint8Array, signature: Signature): ReadArtefact {
  try {
    return check(bytes, signature);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    // The decoder's own errors, wherever in the file the damage is.
    const why = error instanceof Error ? error.message : String(error);
    throw new DomainError('artefactCorrupt', `The artefact is not an ONNX model: ${why}`);
  }
}

function check(bytes: Uint8Array, signature: Signature): ReadArtefact {
  const model = sliceModel(bytes);
  const problems: Problem[] = [];
  checkInputs(model, signature.features, problems);
  checkOutput(model, problems);
  const vocabularies = checkEncoders(model, signature.features, problems);
  if (problems.length > 0) throw offConvention(problems);
  return { coreBytes: deriveCoreGraph(model, signature.features.length), vocabularies };
}

function offConvention(problems: readonly Problem[]): DomainError {
  const what = problems.map((p) => `${p.field}: ${p.message}`).join('; ');
  return new DomainError('artefactCorrupt', `The graph does not follow the artefact convention: ${what}`, problems);
}

function checkInputs(model: SlicedModel, features: readonly FeatureSpec[], problems: Problem[]): void {
  const inputs = realInputs(model);
  const names = inputs.map((i) => i.name ?? '');
  const expected = features.map((f) => f.name);
  if (names.length !== expected.length || names.some((name, i) => name !== expected[i])) {
    problems.push({
      field: 'inputs',
      message: `expected one input per feature in signature order (${expected.join(', ')}), found ${names.join(', ') || 'none'}`,
    });
    return;
  }
  for (const [i, spec] of features.entries()) {
    const wanted = spec.type === 'category' ? TensorProto.DataType.STRING : TensorProto.DataType.FLOAT;
    const found = inputs[i]?.type?.tensorType?.elemType;
    if (found !== wanted) {
      const message = `expected element type ${typeName(wanted)} for a ${spec.type} feature, found ${typeName(found)}`;
      problems.push({ field: `inputs.${spec.name}`, message });
    }
  }
}

function checkOutput(model: SlicedModel, problems: Problem[]): void {
  const outputs = model.outputs.map((o) => o.info);
  const only = outputs.length === 1 ? outputs[0] : undefined;
  if (only?.name !== OUTPUT_TENSOR) {
    const found = outputs.map((o) => o.name ?? '').join(', ') || 'none';
    problems.push({ field: 'outputs', message: `expected one output named ${OUTPUT_TENSOR}, found ${found}` });
  } else if (only.type?.tensorType?.elemType !== TensorProto.DataType.FLOAT) {
    const found = typeName(only.type?.tensorType?.elemType);
    problems.push({ field: `outputs.${OUTPUT_TENSOR}`, message: `expected a FLOAT tensor, found ${found}` });
  }
}

function checkEncoders(
  model: SlicedModel,
  features: readonly FeatureSpec[],
  problems: Problem[],
): ReadonlyMap<string, readonly string[]> {
  const vocabularies = new Map<string, readonly string[]>();
  const producers = producersOf(model);
  const concat = producers.get(ENCODED_TENSOR);
  const columns = concat?.inputs ?? [];
  if (concat?.opType !== 'Concat' || Number(concat.attribute('axis')?.i ?? 0) !== 1) {
    problems.push({ field: ENCODED_TENSOR, message: 'expected a Concat on axis 1 that makes this tensor' });
  } else if (columns.length !== features.length) {
    const message = `expected ${features.length} columns, one per feature, found ${columns.length}`;
    problems.push({ field: ENCODED_TENSOR, message });
  } else {
    for (const [i, spec] of features.entries()) {
      const column = columns[i] ?? '';
      if (spec.type === 'category') {
        const vocabulary = checkCategory(spec, producers.get(column), problems);
        if (vocabulary !== null) vocabularies.set(spec.name, vocabulary);
      } else if (column !== spec.name) {
        const message = `expected the input itself as column ${i} of ${ENCODED_TENSOR}, found ${column}`;
        problems.push({ field: `encoders.${spec.name}`, message });
      }
    }
  }
  return vocabularies;
}

function checkCategory(
  spec: FeatureSpec,
  encoder: SlicedNode | undefined,
  problems: Problem[],
): readonly string[] | null {
  const field = `encoders.${spec.name}`;
  if (encoder?.opType !== 'LabelEncoder' || encoder.domain !== 'ai.onnx.ml' || encoder.inputs[0] !== spec.name) {
    problems.push({ field, message: 'expected an ai.onnx.ml LabelEncoder of this input' });
    return null;
  }
  const keys = (encoder.attribute('keys_strings')?.strings ?? []).map((s) => Buffer.from(s).toString('utf8'));
  const codes = encoder.attribute('values_floats')?.floats ?? [];
  const fallback = encoder.attribute('default_float')?.f ?? 0;
  const vocabulary = spec.categories ?? [];
  const wanted = [...vocabulary, ''];
  if (keys.length !== wanted.length || keys.some((key, i) => key !== wanted[i])) {
    const message = `expected the signature's ${vocabulary.length} categories in order and "" last, found ${keys.length} keys that differ`;
    problems.push({ field, message });
    return null;
  }
  const inOrder = codes.every((code, i) => code === (i < vocabulary.length ? i : CATEGORY_MISSING));
  if (codes.length !== wanted.length || !inOrder || fallback !== CATEGORY_UNKNOWN) {
    const message = `expected the codes 0..${vocabulary.length - 1}, ${CATEGORY_MISSING} for "" and ${CATEGORY_UNKNOWN} for anything else`;
    problems.push({ field, message });
    return null;
  }
  return keys.slice(0, -1);
}

/** Inputs a caller feeds: old files list constants among the inputs too. */
function realInputs(model: SlicedModel): readonly onnx.IValueInfoProto[] {
  const constants = new Set(model.constants.map((constant) => constant.name));
  return model.inputs.filter((input) => !constants.has(input.name ?? ''));
}

function producersOf(model: SlicedModel): ReadonlyMap<string, SlicedNode> {
  return new Map(model.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
}

function typeName(type: number | null | undefined): string {
  return type === null || type === undefined ? 'no tensor' : (TensorProto.DataType[type] ?? String(type));
}
