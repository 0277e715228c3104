import { z } from '@hono/zod-openapi';
import type { Registry } from '../../db/ports.ts';
import { answer, answerJson } from '../answers.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { buildReport } from '../reports/build-report.ts';
import { reportMarkdown } from '../reports/report-markdown.ts';
import { reportPlot } from '../reports/report-plot.ts';
import { reportSchema } from '../schemas/rollout-report.ts';
import { rolloutParams } from '../schemas/rollouts.ts';
import { findRollout } from './rollouts.ts';

/** Points of a plot and a table that nobody reads further; looks are thinned as they are stored. */
const LOOKS_MAX = 20_000;
const FORMATS = ['json', 'md', 'svg'] as const;

export interface ReportDeps {
  readonly registry: Pick<Registry, 'rollouts' | 'looks' | 'ledger'>;
  readonly now: () => number;
}

/** `GET /rollouts/{rollout}/report`. */
export function reportOperations({ registry, now }: ReportDeps): readonly Operation[] {
  return [
    defineOperation({
      id: 'reportRollout',
      method: 'get',
      path: '/rollouts/{rollout}/report',
      tag: 'Rollouts',
      summary: 'Report of a rollout',
      description:
        'What was decided, when, by whom and on what evidence, with the weights and the evidence over time: as JSON, as ' +
        'Markdown with the plot in it, or as the plot alone (SVG). Of an open rollout, so far.',
      permission: 'monitor',
      params: rolloutParams,
      query: z.strictObject({ format: z.enum(FORMATS).default('json') }),
      refusals: ['notFound'],
      answers: { 200: { description: 'The report', schema: reportSchema } },
      handle: async ({ c, params, query }) => {
        const row = await findRollout(registry.rollouts, params.rollout);
        const [looks, ledger] = await Promise.all([
          registry.looks.list(row.id, LOOKS_MAX),
          registry.ledger.ofRollout(row.model, row.id),
        ]);
        const report = buildReport(row, looks, ledger, now());
        switch (query.format) {
          case 'json':
            return answerJson(c, 200, report);
          case 'md':
            return answer(c, 200, reportMarkdown(report), 'text/markdown; charset=utf-8');
          case 'svg':
            return answer(c, 200, reportPlot(report), 'image/svg+xml');
        }
      },
    }),
  ];
}
