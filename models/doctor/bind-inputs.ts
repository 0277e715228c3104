import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { encodedLayout } from '../../domain/encoding.ts';
import type { FeatureType } from '../../domain/signature.ts';
import type { ForeignBinding, ForeignColumn, InputType } from '../manifest.ts';
import { error, Unusable } from './finding.ts';
import type { Finding } from './finding.ts';
import { COLUMNS_MAX } from './limits.ts';
import type { GraphFacts } from './read-graph.ts';
import { asSpec } from './signature-file.ts';
import type { DraftFeature, SignatureFile } from './signature-file.ts';
import { readVocabularies } from './vocabulary.ts';

const { DataType } = proto.onnx.TensorProto;

const TYPES: Readonly<Record<number, InputType>> = {
  [DataType.FLOAT]: 'float32',
  [DataType.DOUBLE]: 'float64',
  [DataType.INT64]: 'int64',
  [DataType.INT32]: 'int32',
  [DataType.BOOL]: 'bool',
  [DataType.STRING]: 'string',
};
/** First: what an input of the type is taken for when nobody says. */
const FEATURES_OF: Readonly<Record<InputType, readonly FeatureType[]>> = {
  float32: ['number', 'integer', 'boolean', 'category'],
  float64: ['number', 'integer', 'boolean', 'category'],
  int64: ['integer', 'boolean', 'category'],
  int32: ['integer', 'boolean', 'category'],
  bool: ['boolean'],
  string: ['category'],
};
const MATRIX_TYPES: readonly InputType[] = ['float32', 'float64', 'int64', 'int32'];

const FLOAT_MATRIX = "initial_types=[('input', FloatTensorType([None, F]))]";
const ONE_BY_ONE = "initial_types=[('age', FloatTensorType([None, 1])), ('plan', StringTensorType([None, 1]))]";

export interface BoundInputs {
  readonly input: ForeignBinding['input'];
  readonly features: readonly DraftFeature[];
  /** Features whose categories the graph itself names: what it does with others has to be tried. */
  readonly fromGraph: ReadonlySet<string>;
}

interface Input {
  readonly name: string;
  readonly type: InputType;
  /** `null` where the file does not say. */
  readonly dims: readonly (number | null)[];
}

/**
 * How rows come into the graph: one matrix, or one input per feature.
 * @throws Unusable naming every input that cannot be fed
 */
export function bindInputs(facts: GraphFacts, file: SignatureFile | null): BoundInputs {
  const findings: Finding[] = [];
  const inputs = facts.inputs.map((info) => readInput(info, facts.outputs.at(-1)?.name ?? 'output', findings));
  if (inputs.length === 0)
    findings.push(error('inputs', 'The graph takes no input', 'export the model with its inputs'));
  const readable = inputs.filter((input): input is Input => input !== null);
  if (findings.length > 0) throw new Unusable(findings);
  const [first] = readable;
  const isMatrix = readable.length === 1 && first?.dims.length === 2 && first.dims[1] !== 1;
  return isMatrix ? bindMatrix(first, file) : bindColumns(readable, file, readVocabularies(facts));
}

function readInput(info: onnx.IValueInfoProto, output: string, findings: Finding[]): Input | null {
  const name = info.name ?? '';
  const tensor = info.type?.tensorType;
  const elemType = tensor?.elemType ?? 0;
  const type = TYPES[elemType];
  if (type === undefined) {
    const found = tensor == null ? 'no tensor' : `of type ${DataType[elemType] ?? elemType}`;
    const message = `The input ${name} is ${found}; it can be ${Object.values(TYPES).join(', ')}`;
    findings.push(error('inputs', message, `convert with ${FLOAT_MATRIX}; from half precision: model.float() first`));
    return null;
  }
  const dims = (tensor?.shape?.dim ?? []).map(({ dimValue }) => {
    const value = Number(dimValue ?? 0);
    return value > 0 ? value : null;
  });
  const shape = `[${dims.map((d) => d ?? 'n').join(', ')}]`;
  if (dims.length < 1 || dims.length > 2) {
    const fix = `reshape inside the model, so that it takes [n, features]: ${FLOAT_MATRIX}`;
    findings.push(error('inputs', `The input ${name} has the shape ${shape}, which is no table of rows`, fix));
    return null;
  }
  if (dims[0] !== null) {
    const message = `The input ${name} has the fixed shape ${shape}: it takes no other number of rows at a time`;
    const fix =
      `torch.onnx.export(..., dynamic_axes={'${name}': {0: 'n'}, '${output}': {0: 'n'}}); ` +
      'skl2onnx and onnxmltools: FloatTensorType([None, F]) in place of [1, F]';
    findings.push(error('batch', message, fix));
    return null;
  }
  return { name, type, dims };
}

function bindMatrix({ name, type, dims }: Input, file: SignatureFile | null): BoundInputs {
  if (!MATRIX_TYPES.includes(type)) {
    const message = `The input ${name} is a matrix of type ${type}; a matrix holds numbers`;
    throw new Unusable([error('inputs', message, `one input per column instead: ${ONE_BY_ONE}`)]);
  }
  const width = dims[1] ?? null;
  if (width !== null && width > COLUMNS_MAX) {
    throw new Unusable([
      error('inputs', `The input ${name} has ${width} columns, at most ${COLUMNS_MAX} can be fed`, null),
    ]);
  }
  const features = file?.features;
  if (features === undefined) {
    if (width === null) {
      const message = `The input ${name} does not say how many columns it has`;
      const fix = `convert with ${FLOAT_MATRIX}, or give a signature file that lists the features`;
      throw new Unusable([error('inputs', message, fix)]);
    }
    const plain = Array.from({ length: width }, (_, i): DraftFeature => ({ name: `f${i}`, type: plainType(type) }));
    return { input: { kind: 'matrix', name, type }, features: plain, fromGraph: new Set() };
  }
  checkMatrixFeatures(features, type, name, width);
  return { input: { kind: 'matrix', name, type }, features, fromGraph: new Set() };
}

const plainType = (type: InputType): FeatureType => FEATURES_OF[type][0] ?? 'number';

function checkMatrixFeatures(
  features: readonly DraftFeature[],
  type: InputType,
  name: string,
  width: number | null,
): void {
  const findings = features.flatMap((f) => {
    if (f.type === 'category' && (f.encoding === undefined || f.encoding === 'raw')) {
      const message = `The signature does not say how the category ${f.name} becomes numbers`;
      return [error('signature', message, `encoding: oneHot (a column per category) or code, for ${f.name}`)];
    }
    return f.type === 'number' && !type.startsWith('float')
      ? [error('signature', `${f.name} is a number, but ${name} takes ${type}`, `type: integer for ${f.name}`)]
      : [];
  });
  const { columns, width: used } = encodedLayout(features.map(asSpec));
  if (width !== null && used !== width) {
    const layout = features
      .map((f, i) => `${f.name} at ${columns[i] ?? 0}`)
      .slice(0, 50)
      .join(', ');
    const message = `The features of the signature fill ${used} columns, the input ${name} has ${width} (${layout})`;
    findings.push(error('signature', message, 'list every feature in the order of the columns, categories too'));
  }
  if (findings.length > 0) throw new Unusable(findings);
}

function bindColumns(
  inputs: readonly Input[],
  file: SignatureFile | null,
  vocabularies: ReadonlyMap<string, readonly string[]>,
): BoundInputs {
  const findings = inputs.flatMap(({ name, dims }) => {
    if (dims.length === 1 || dims[1] === 1) return [];
    const message = `The input ${name} has ${dims[1] ?? 'an unknown number of'} columns beside other inputs`;
    return [error('inputs', message, `one matrix (${FLOAT_MATRIX}), or one input per feature (${ONE_BY_ONE})`)];
  });
  const drafts = file?.features ?? inputs.map(({ name, type }): DraftFeature => ({ name, type: plainType(type) }));
  findings.push(...checkNames(inputs, drafts));
  if (findings.length > 0) throw new Unusable(findings);
  const byName = new Map(inputs.map((input) => [input.name, input]));
  const bound = drafts.map((draft) => bindColumn(draft, byName.get(draft.name) as Input, vocabularies, findings));
  if (findings.length > 0) throw new Unusable(findings);
  const fromGraph = bound.flatMap(({ draft, ownCategories }) => (ownCategories ? [draft.name] : []));
  return {
    input: { kind: 'columns', columns: bound.map((b) => b.column) },
    features: bound.map((b) => b.draft),
    fromGraph: new Set(fromGraph),
  };
}

function checkNames(inputs: readonly Input[], drafts: readonly DraftFeature[]): Finding[] {
  const inputNames = inputs.map((input) => input.name);
  const names = drafts.map((draft) => draft.name);
  const lacking = inputNames.filter((name) => !names.includes(name));
  const extra = names.filter((name) => !inputNames.includes(name));
  return [
    ...lacking.map((name) =>
      error('signature', `The input ${name} is not among the signature's features`, `add ${name}`),
    ),
    ...extra.map((name) =>
      error('signature', `The feature ${name} is no input of the graph`, `inputs are: ${inputNames.join(', ')}`),
    ),
  ];
}

function bindColumn(
  draft: DraftFeature,
  { type, dims, name }: Input,
  vocabularies: ReadonlyMap<string, readonly string[]>,
  findings: Finding[],
): { readonly draft: DraftFeature; readonly column: ForeignColumn; readonly ownCategories: boolean } {
  const column: ForeignColumn = { name, type, rank: dims.length === 1 ? 1 : 2 };
  const allowed = FEATURES_OF[type];
  if (!allowed.includes(draft.type)) {
    const message = `The input ${name} takes ${type}, which is no ${draft.type}`;
    findings.push(error('signature', message, `type: ${allowed.join(' or ')} for ${name}`));
  }
  if (draft.column !== undefined || draft.encoding === 'oneHot') {
    const message = `${name} is an input of its own: it has one column, and no place in a matrix`;
    findings.push(error('signature', message, `leave column and encoding out for ${name}`));
  }
  if (type !== 'string') {
    if (draft.type === 'category' && draft.categories === undefined) {
      const message = `The input ${name} takes ${type}: its categories must be listed in the order of their codes`;
      findings.push(error('signature', message, `categories: [...] and encoding: code for ${name}`));
    }
    return { draft, column, ownCategories: false };
  }
  const categories = draft.categories ?? vocabularies.get(name);
  const listed = categories === undefined ? {} : { categories: [...categories] };
  return { draft: { ...draft, ...listed, encoding: 'raw' }, column, ownCategories: draft.categories === undefined };
}
