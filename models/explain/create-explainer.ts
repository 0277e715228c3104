import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import type { FeatureRow, FeatureValue, Signature } from '../../domain/signature.ts';
import type { ArtefactManifest } from '../manifest.ts';
import { compileRowEncoder } from '../serving/row-encoder.ts';
import { readAdditive } from './additive.ts';
import { BACKGROUND_KEY, readBackground } from './background.ts';
import type { Background } from './background.ts';
import { readForest } from './forest.ts';
import { createLinearShap } from './linear-shap.ts';
import { createTreeShap } from './tree-shap.ts';

export interface Contribution {
  readonly feature: string;
  /** As the caller sent it. */
  readonly value: FeatureValue;
  /** To the log odds of the positive class, against the base. */
  readonly contribution: number;
}

/** `logit` = `base` + the sum of all contributions. */
export interface Explanation {
  /** Mean log odds over the training rows. */
  readonly base: number;
  readonly logit: number;
  /** Of every feature, the largest in size first. */
  readonly contributions: readonly Contribution[];
}

export interface Explainer {
  /**
   * Explains a row that the model has answered. Long work is cut into slices, between which others get the event loop.
   * @param row raw features; what the encoder would refuse counts as missing
   */
  explain(row: FeatureRow): Promise<Explanation>;
}

export type Explainability =
  | { readonly explainable: true; readonly explainer: Explainer }
  /** `reason` is a clause for a person: what is missing, and what helps. */
  | { readonly explainable: false; readonly reason: string };

/** Predictions wait for this long at most. */
const SLICE_MS = 2;
/** Greatest difference between the probability of a golden row and that of its explanation: float32 sums of a forest. */
const DIFFERENCE_MAX = 1e-5;

export const FOREIGN_REASON = 'explanations need trees or a linear model made here; this version was imported';
export const NO_BACKGROUND_REASON =
  'this version was trained before explanations were kept with a model; train a new one to have them';

/** Of the golden rows' beginning and of their end, where missing and unknown values are. */
const PROVEN_ROWS_EACH = 3;

/** Adds the values of a row, in columns, to `out`. */
type AddValues = (encoded: Float32Array, out: Float64Array) => Promise<void>;

interface Method {
  readonly base: number;
  readonly add: AddValues;
}

/**
 * Reads what explains a version from its model file, and proves on the golden rows that explanations add up to the
 * answers. Decodes the whole file: some 10 ms for a usual forest.
 */
export async function createExplainer(source: {
  readonly onnx: Uint8Array;
  readonly manifest: Pick<ArtefactManifest, 'signature' | 'golden' | 'foreign'>;
}): Promise<Explainability> {
  const { signature, golden, foreign } = source.manifest;
  if (foreign !== undefined) return { explainable: false, reason: FOREIGN_REASON };
  const { graph, background } = decode(source.onnx);
  if (background === null) return { explainable: false, reason: NO_BACKGROUND_REASON };
  await othersFirst();
  try {
    const explainer = bind(signature, methodOf(graph, background, signature.features.length));
    for (const { features, probability } of [
      ...golden.slice(0, PROVEN_ROWS_EACH),
      ...golden.slice(-PROVEN_ROWS_EACH),
    ]) {
      const { logit } = await explainer.explain(features);
      const difference = Math.abs(1 / (1 + Math.exp(-logit)) - probability);
      // Written so that NaN is refused.
      if (!(difference <= DIFFERENCE_MAX)) throw new RangeError('its explanations do not add up to its answers');
    }
    return { explainable: true, explainer };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { explainable: false, reason: `this version cannot be explained: ${error.message}` };
  }
}

/** Lets the event loop do what came up meanwhile. */
const othersFirst = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function decode(bytes: Uint8Array): { graph: onnx.IGraphProto; background: Background | null } {
  const model = proto.onnx.ModelProto.decode(bytes);
  const text = model.metadataProps.find((p) => p.key === BACKGROUND_KEY)?.value ?? null;
  return { graph: model.graph ?? {}, background: text === null ? null : readBackground(text) };
}

function methodOf(graph: onnx.IGraphProto, background: Background, featureCount: number): Method {
  if (background.kind === 'additive') {
    const shap = createLinearShap(readAdditive(graph.initializer ?? [], featureCount), background.means);
    return {
      base: shap.base,
      add: (encoded, out) => {
        shap.explain(encoded, out);
        return Promise.resolve();
      },
    };
  }
  const ensemble = graph.node?.find((n) => n.opType === 'TreeEnsembleRegressor');
  if (ensemble === undefined) throw new RangeError('it holds no trees');
  const shap = createTreeShap(readForest(ensemble, background.leafRows));
  return {
    base: shap.base,
    add: async (encoded, out) => {
      let sliceFromMs = performance.now();
      for (let tree = 0; tree < shap.trees; tree += 1) {
        shap.addTree(tree, encoded, out);
        if (performance.now() - sliceFromMs < SLICE_MS) continue;
        await othersFirst();
        sliceFromMs = performance.now();
      }
    },
  };
}

function bind(signature: Signature, { base, add }: Method): Explainer {
  const { features } = signature;
  const encoder = compileRowEncoder(signature);
  return {
    async explain(row) {
      const encoded = new Float32Array(encoder.width);
      encoder.encode(row, encoded, 0);
      const values = new Float64Array(encoder.width);
      await add(encoded, values);
      const contributions = features.map((f, i): Contribution => {
        return {
          feature: f.name,
          value: Object.hasOwn(row, f.name) ? (row[f.name] ?? null) : null,
          contribution: values[i] as number,
        };
      });
      const logit = values.reduce((sum, value) => sum + value, base);
      contributions.sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
      return { base, logit, contributions };
    },
  };
}
