import type { Metrics } from '../../adapters/metrics.ts';
import type { Serving } from '../serving/contract.ts';

/** The same explanations, each with its cost in the metrics. */
export function timeExplanations(
  serving: Pick<Serving, 'explain'>,
  metrics: Pick<Metrics, 'explained'>,
): Pick<Serving, 'explain'> {
  return {
    explain: async (model, version, features) => {
      const startedMs = performance.now();
      const outcome = await serving.explain(model, version, features);
      if (outcome.explained) metrics.explained(model, performance.now() - startedMs);
      return outcome;
    },
  };
}
