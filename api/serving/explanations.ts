import type { ArtefactStore } from '../../domain/artefacts.ts';
import type { FeatureRow } from '../../domain/signature.ts';
import { createExplainer } from '../../models/explain/create-explainer.ts';
import type { Explainability, Explanation } from '../../models/explain/create-explainer.ts';
import type { ServingLog } from './ports.ts';
import { parseManifest } from './version-cache.ts';
import type { CachedVersion } from './version-cache.ts';

/**
 * Explanations that wait, or are made, in a process: some milliseconds each, one after the other, so that the last of
 * them is answered within a second.
 */
const WAITING_MAX = 100;

export type ExplainOutcome =
  | { readonly explained: true; readonly explanation: Explanation }
  /** `reason` is a clause for a person. */
  | { readonly explained: false; readonly reason: string };

export interface ExplanationsDeps {
  readonly artefacts: Pick<ArtefactStore, 'read'>;
  /** The version as loaded now. */
  readonly find: (model: string, version: number) => CachedVersion | undefined;
  readonly log: ServingLog;
}

export interface Explanations {
  /** Why a version cannot be explained; `null`: it can. Never rejects. */
  refusal(model: string, version: number): Promise<string | null>;
  /** Explains a row that the version has answered. Never rejects. */
  explain(model: string, version: number, row: FeatureRow): Promise<ExplainOutcome>;
}

const refused = (reason: string) => ({ explained: false, reason }) as const;

/**
 * Explains rows of the loaded versions. What is needed is read from the artefacts at a version's first explanation, and
 * goes with the version: who never asks pays nothing.
 */
export function createExplanations({ artefacts, find, log }: ExplanationsDeps): Explanations {
  const made = new WeakMap<CachedVersion, Promise<Explainability>>();
  let waiting = 0;
  let last: Promise<unknown> = Promise.resolve();

  function explainability(version: CachedVersion): Promise<Explainability> {
    const known = made.get(version);
    if (known !== undefined) return known;
    const making = make(version);
    made.set(version, making);
    making.catch(() => made.delete(version));
    return making;
  }

  async function make({ manifestDigest }: CachedVersion): Promise<Explainability> {
    const manifest = parseManifest(await artefacts.read(manifestDigest), manifestDigest);
    return createExplainer({ onnx: await artefacts.read(manifest.onnx.digest), manifest });
  }

  async function explainabilityOf(model: string, version: number): Promise<Explainability> {
    const loaded = find(model, version);
    if (loaded === undefined) return { explainable: false, reason: `version ${version} has just been released` };
    try {
      return await explainability(loaded);
    } catch (error) {
      log.error({ err: error, model, version }, 'a version could not be prepared for explanations');
      return { explainable: false, reason: `the files of version ${version} cannot be read now; try again` };
    }
  }

  async function explainNow(model: string, version: number, row: FeatureRow): Promise<ExplainOutcome> {
    const found = await explainabilityOf(model, version);
    if (!found.explainable) return refused(found.reason);
    return { explained: true, explanation: await found.explainer.explain(row) };
  }

  return {
    refusal: async (model, version) => {
      const found = await explainabilityOf(model, version);
      return found.explainable ? null : found.reason;
    },
    explain: async (model, version, row) => {
      if (waiting >= WAITING_MAX) return refused(`${WAITING_MAX} explanations are waiting already; try again`);
      waiting += 1;
      const turn = last.then(() => explainNow(model, version, row));
      last = turn.catch(() => undefined);
      try {
        return await turn;
      } catch (error) {
        log.error({ err: error, model, version }, 'an explanation failed');
        return refused('the explanation failed');
      } finally {
        waiting -= 1;
      }
    },
  };
}
