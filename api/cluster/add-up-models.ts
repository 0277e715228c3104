import { addCounts } from '../../domain/records.ts';
import type { BreakerState } from '../serving/version-breakers.ts';
import type { ProcessState } from './calls.ts';

type Models = ProcessState['models'];

/**
 * The models as one: the routing of the newest generation that any process has adopted, with the counts of all
 * processes for the same variant and version. A process that is about to adopt it adds what it has of these routes.
 */
export function addUpModels(processes: readonly Models[]): Models {
  const newest = new Map<string, Models[number]>();
  for (const model of processes.flat()) {
    const known = newest.get(model.model);
    if (known === undefined || model.generation > known.generation) newest.set(model.model, model);
  }
  return [...newest.values()].map(({ model, generation, routes }) => {
    const all = processes.flatMap((models) => models.filter((m) => m.model === model)).flatMap((m) => m.routes);
    const addUp = (route: Routes[number]): Routes[number] => {
      const same = all.filter((r) => r.variant === route.variant && r.version === route.version);
      return { ...route, counts: same.map((r) => r.counts).reduce(addCounts), breaker: worstOf(same) };
    };
    return { model, generation, routes: routes.map(addUp) };
  });
}

type Routes = Models[number]['routes'];

/** A version that one process cannot ask is what an operator wants to see. */
function worstOf(routes: Routes): BreakerState {
  const found = new Set(routes.map((r) => r.breaker));
  if (found.has('open')) return 'open';
  return found.has('halfOpen') ? 'halfOpen' : 'closed';
}
