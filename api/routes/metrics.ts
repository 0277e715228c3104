import { z } from '@hono/zod-openapi';
import type { Metrics } from '../../adapters/metrics.ts';
import { answer, answerJson } from '../answers.ts';
import { addUpModels } from '../cluster/add-up-models.ts';
import type { FleetOverview } from '../cluster/calls.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { routerMetricsSchema } from '../schemas/routing.ts';

export interface MetricsDeps {
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly overview: () => Promise<Pick<FleetOverview, 'processes'>>;
}

/** `GET /metrics`, `GET /router/metrics`. */
export function metricsOperations({ metrics, overview }: MetricsDeps): readonly Operation[] {
  return [
    defineOperation({
      id: 'metrics',
      method: 'get',
      path: '/metrics',
      tag: 'Operations',
      summary: 'Metrics in the Prometheus text format',
      description: 'Open without a key, as scrapers expect; the server listens on the loopback address by default.',
      permission: null,
      answers: {
        200: {
          description: 'The metrics of the API, all its processes together',
          schema: z.string(),
          contentType: 'text/plain',
          example: 'predictions_total{model="churn",model_version="2",variant="champion",status="ok"} 1024',
        },
      },
      handle: async ({ c }) => answer(c, 200, await metrics.text(), metrics.contentType),
    }),
    defineOperation({
      id: 'routerMetrics',
      method: 'get',
      path: '/router/metrics',
      tag: 'Operations',
      summary: 'Who answers how much',
      description:
        'The newest routing in force, with the counts of each variant since it was adopted, over all processes.',
      permission: 'monitor',
      answers: { 200: { description: 'By model and variant', schema: routerMetricsSchema } },
      handle: async ({ c }) => {
        const { processes } = await overview();
        return answerJson(c, 200, { models: addUpModels(processes.map((p) => p.models)) });
      },
    }),
  ];
}
