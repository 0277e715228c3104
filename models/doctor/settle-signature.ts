import type { FeatureSpec, Signature, ValuePolicy } from '../../domain/signature.ts';
import type { ForeignBinding, InputType } from '../manifest.ts';
import { encodeLeniently } from '../serving/golden-proof.ts';
import type { ForeignGraph } from '../serving/foreign-graph.ts';
import type { BoundInputs } from './bind-inputs.ts';
import type { ExamineRequest } from './examination.ts';
import { error, Unusable, warning } from './finding.ts';
import type { Finding } from './finding.ts';
import { asSpec } from './signature-file.ts';
import type { DraftFeature } from './signature-file.ts';
import { syntheticRows, unseen } from './synthetic-rows.ts';

/** Features tried one by one; of more, a missing value is refused unless the signature says otherwise. */
const PROBES_MAX = 500;
const THRESHOLD_DEFAULT = 0.5;
const CLASSES_DEFAULT = ['0', '1'] as const;

/** The signature as far as it is known before the graph has run: unsaid policies let everything through. */
export function draftSignature(
  { features }: BoundInputs,
  { signature: file, defaults }: ExamineRequest,
  classLabels: readonly [string, string] | null,
): Signature {
  const [negative, positive] = classLabels ?? CLASSES_DEFAULT;
  const target = file?.target;
  const chosen = target?.positive ?? defaults.target?.positive ?? positive;
  return {
    features: features.map(asSpec),
    entity: file?.entity ?? defaults.entity,
    target: {
      column: target?.column ?? defaults.target?.column ?? 'target',
      positive: chosen,
      // Of the two labels the graph names, the other one.
      negative: target?.negative ?? (chosen === negative ? positive : negative),
    },
    threshold: file?.threshold ?? THRESHOLD_DEFAULT,
    risk: file?.risk ?? defaults.risk,
  };
}

/**
 * Policies that nobody stated are found out by trying: a graph that makes a number of a missing value takes missing
 * values (with a warning in each answer), any other refuses them. Values outside a stated range are refused.
 */
export async function settleSignature(
  draft: Signature,
  bound: BoundInputs,
  graph: ForeignGraph,
): Promise<{ readonly signature: Signature; readonly findings: readonly Finding[] }> {
  const [base = {}] = syntheticRows(draft.features, 1);
  const answers = async (name: string, value: string | null): Promise<boolean> => {
    const matrix = encodeLeniently(draft, [{ ...base, [name]: value }], graph.strings);
    try {
      const [probability] = await graph.run(matrix, 1);
      return Number.isFinite(probability);
    } catch {
      return false;
    }
  };
  const findings: Finding[] = [];
  const features: FeatureSpec[] = [];
  for (const [i, feature] of bound.features.entries()) {
    const spec = asSpec(feature);
    const canBeMissing = holdsMissing(feature, typeAt(bound.input, i));
    if (!canBeMissing && feature.missing === 'flag') findings.push(cannotBeMissing(feature.name));
    const tried = i < PROBES_MAX && canBeMissing && feature.missing === undefined;
    const missing: ValuePolicy = feature.missing ?? (tried && (await answers(feature.name, null)) ? 'flag' : 'reject');
    const unknown = feature.unknown ?? (await triedUnknown(spec, bound.fromGraph, answers));
    features.push({ ...spec, missing, unknown, outOfRange: feature.outOfRange ?? 'reject' });
  }
  if (findings.length > 0) throw new Unusable(findings);
  const open = features.filter((f) => f.type === 'category' && f.categories === undefined).map((f) => f.name);
  if (open.length > 0) {
    const message = `The graph does not name the categories of ${open.join(', ')}: every string is let through`;
    findings.push(warning('signature', message, 'list them as categories in a signature file'));
  }
  return { signature: { ...draft, features }, findings };
}

/** Only categories that the graph itself names are tried: of listed ones a person has said what there is. */
async function triedUnknown(
  spec: FeatureSpec,
  fromGraph: ReadonlySet<string>,
  answers: (name: string, value: string) => Promise<boolean>,
): Promise<ValuePolicy> {
  if (!fromGraph.has(spec.name)) return 'reject';
  if (spec.categories === undefined) return 'flag';
  return (await answers(spec.name, unseen(spec))) ? 'flag' : 'reject';
}

/** A whole number or a truth value has no value for "missing"; a float has NaN, a text is empty. */
function holdsMissing({ type, encoding }: DraftFeature, input: InputType): boolean {
  return (
    input === 'float32' || input === 'float64' || input === 'string' || (type === 'category' && encoding === 'oneHot')
  );
}

const typeAt = (input: ForeignBinding['input'], i: number): InputType =>
  input.kind === 'matrix' ? input.type : (input.columns[i]?.type ?? 'float32');

const cannotBeMissing = (name: string): Finding =>
  error(
    'signature',
    `The input of ${name} takes whole numbers, which cannot be missing`,
    `missing: reject for ${name}`,
  );
