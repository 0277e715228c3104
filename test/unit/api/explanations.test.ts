import { describe, expect, it } from 'vitest';
import type { Explanation } from '../../../models/explain/create-explainer.ts';
import { answered, row } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

const LOGIT = Math.log(answered.probability / (1 - answered.probability));
const explanation: Explanation = {
  base: LOGIT - 0.6,
  logit: LOGIT,
  contributions: [
    { feature: 'charge', value: 80, contribution: 1 },
    { feature: 'contract', value: 'monthly', contribution: -0.5 },
    { feature: 'months', value: 3, contribution: 0.2 },
    { feature: 'paperless', value: null, contribution: -0.1 },
  ],
};

async function appThatKnows(found: Explanation = explanation) {
  const app = await createTestApp();
  app.serving.explain.mockResolvedValue({ explained: true, explanation: found });
  return app;
}

describe('a prediction with explain=true', () => {
  it('is explained by the version that answered, with the row as it was sent', async () => {
    const { call, serving } = await appThatKnows();
    const { status, json } = await call('POST', '/predict?explain=true', { body: { model: 'leavers', ...row } });
    expect(status).toBe(200);
    expect(serving.explain).toHaveBeenCalledExactlyOnceWith('leavers', answered.version, row.features);
    expect(json).toMatchObject({ probability: 0.71, request_id: answered.requestId });
    const { base, logit, contributions, others, cost_ms: costMs } = json.explanation;
    expect({ base, logit, contributions }).toEqual(explanation);
    expect(others).toBe(0);
    expect(costMs).toBeGreaterThanOrEqual(0);
  });

  it('has its cost in the metrics, in the native route and in that of KServe', async () => {
    const { call, metrics } = await appThatKnows();
    await call('POST', '/predict?explain=true', { body: { model: 'leavers', ...row } });
    await call('POST', '/predict', { body: { model: 'leavers', ...row } });
    expect(await metrics.text()).toContain('explanation_duration_seconds_count{model="leavers"} 1');
    await call('POST', '/v1/models/leavers:explain', { body: { instances: [row.features] } });
    expect(await metrics.text()).toContain('explanation_duration_seconds_count{model="leavers"} 2');
  });

  it('names as many contributions as wanted and sums up the others', async () => {
    const { call } = await appThatKnows();
    const { json } = await call('POST', '/models/leavers/predict?explain=true&top=2', { body: row });
    expect(json.explanation.contributions).toEqual(explanation.contributions.slice(0, 2));
    expect(json.explanation.others).toBeCloseTo(0.1, 12);
    const none = await call('POST', '/models/leavers/predict?explain=true&top=0', { body: row });
    expect(none.json.explanation).toMatchObject({ contributions: [], others: expect.closeTo(0.6, 12) as number });
  });

  it('is answered all the same where the version cannot be explained', async () => {
    const { call, serving } = await createTestApp();
    serving.explain.mockResolvedValue({ explained: false, reason: 'it was imported' });
    const { status, json } = await call('POST', '/predict?explain=true', { body: row });
    expect(status).toBe(200);
    expect(json).toMatchObject({ probability: 0.71, explanation: { refused: 'it was imported' } });
  });

  it('is not given an explanation of another answer', async () => {
    const { call } = await appThatKnows({ ...explanation, logit: LOGIT + 0.01 });
    const { json } = await call('POST', '/predict?explain=true', { body: row });
    expect(json.explanation.refused).toMatch(/not what the version computes/);
  });

  it('asks nothing without explain, or with explain=false', async () => {
    const { call, serving } = await appThatKnows();
    for (const query of ['', '?explain=false', '?top=3']) {
      const { json } = await call('POST', `/predict${query}`, { body: row });
      expect(json.explanation).toBeUndefined();
    }
    expect(serving.explain).not.toHaveBeenCalled();
  });

  it.each([
    ['explain=yes', 'explain'],
    ['explain=true&top=-1', 'top'],
    ['explain=true&top=many', 'top'],
  ])('refuses ?%s, and predicts nothing', async (query, field) => {
    const { call, serving } = await appThatKnows();
    const answer = await call('POST', `/predict?${query}`, { body: row });
    expect(answer.status).toBe(422);
    expect(answer.fields).toEqual([field]);
    expect(serving.predict).not.toHaveBeenCalled();
  });
});
