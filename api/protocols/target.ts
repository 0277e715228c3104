import { DomainError } from '../../domain/errors.ts';
import type { Signature } from '../../domain/signature.ts';
import type { ServedModel, Serving } from '../serving/contract.ts';

/** The model a request is about, and the signature by which its columns are read. */
export interface Target {
  readonly model: string;
  readonly served: ServedModel;
  readonly signature: Signature;
}

/** The route with the largest share stands for the model: most answers come from it. */
function mainSignature({ routes }: ServedModel): Signature | undefined {
  const [main] = [...routes].sort((a, b) => b.weightPercent - a.weightPercent);
  return main?.signature;
}

/**
 * @param name `null`: the only model served
 * @throws DomainError as `Serving.predict`: `notFound`, `malformedRequest` (several are served), `unavailable`
 */
export async function resolveTarget(
  serving: Pick<Serving, 'predict' | 'served'>,
  name: string | null,
): Promise<Target> {
  const all = serving.served();
  const served = name === null && all.length === 1 ? all[0] : all.find((m) => m.model === name);
  // Asked without rows, the serving path says what is wrong: no such model, several, not loaded yet.
  if (served === undefined || name === null) await serving.predict(name, []);
  const signature = served === undefined ? undefined : mainSignature(served);
  if (served === undefined || signature === undefined) {
    throw new DomainError('unavailable', `${name ?? 'A model'} cannot be answered yet`);
  }
  return { model: served.model, served, signature };
}

/**
 * Checks a version that a path names. The weights of the routing decide who answers: a version pinned by clients would
 * skew the counts by which a rollout is judged, so one is answered by name only when it answers everything.
 * @throws DomainError `notFound` (not routed), `invalidInput` (it shares the traffic with another)
 */
export function requireWholeShare({ model, served }: Target, version: string): void {
  const route = requireRoute(served, version);
  if (route.weightPercent === 100) return;
  const shares = served.routes.map((r) => `${r.version}: ${r.weightPercent} %`).join(', ');
  throw new DomainError('invalidInput', `Version ${version} of ${model} cannot be asked alone now`, [
    { field: 'version', message: `versions share the requests (${shares}): leave the version out of the path` },
  ]);
}

/** @throws DomainError `notFound` naming the versions that are routed */
export function requireRoute(served: ServedModel, version: string): ServedModel['routes'][number] {
  const route = served.routes.find((r) => String(r.version) === version);
  if (route !== undefined) return route;
  throw new DomainError('notFound', `Version ${version.slice(0, 20)} of ${served.model} is not served`, [
    { field: 'version', message: 'is not routed now', allowed: served.routes.map((r) => String(r.version)) },
  ]);
}
