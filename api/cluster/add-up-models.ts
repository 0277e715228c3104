import { addCounts } from '../../domain/records.ts';
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
    return { model, generation, routes: routes.map((route) => ({ ...route, counts: sumFor(route, all) })) };
  });
}

type Routes = Models[number]['routes'];

function sumFor({ variant, version }: Routes[number], all: Routes) {
  const same = all.filter((r) => r.variant === variant && r.version === version);
  return same.map((r) => r.counts).reduce(addCounts);
}
