import { describe, expect, it } from 'vitest';
import {
  parseCommandInput,
  parseRolloutInput,
  parseTrainInput,
  parseValidateInput,
  type Parsed,
} from '../../../domain/workflow-input.ts';

const problems = (parsed: Parsed<unknown>) => (parsed.ok ? [] : parsed.problems);
const fields = (parsed: Parsed<unknown>) => problems(parsed).map((p) => p.field);

describe('the input of trainModel', () => {
  it('needs the model alone', () => {
    expect(parseTrainInput({ model: 'prices' })).toEqual({
      ok: true,
      value: { model: 'prices', rollout: false, requestedBy: 'temporal' },
    });
  });

  it('takes everything it knows', () => {
    const raw = {
      model: 'prices',
      seed: 0,
      algorithms: ['gradient-boosting'],
      rollout: { strategy: 'blue-green' },
      requestedBy: 'alice',
    };
    expect(parseTrainInput(raw)).toEqual({ ok: true, value: raw });
    expect(parseTrainInput({ model: 'prices', rollout: true })).toMatchObject({ value: { rollout: {} } });
  });

  it('reports every problem at once, with what is allowed', () => {
    expect(problems(parseTrainInput({ seed: 1.5, algorithms: ['tree'], rollout: 'yes', modle: 'prices' }))).toEqual([
      { field: 'model', message: 'expected a text of 1 to 500 characters, found nothing' },
      { field: 'seed', message: 'expected a whole number, found 1.5', allowed: ['0..2147483647'] },
      {
        field: 'algorithms',
        message: 'expected a list of names, each once, found a list',
        allowed: ['spline-logistic', 'gradient-boosting'],
      },
      { field: 'rollout', message: 'expected true or false, found the text "yes"', allowed: ['true', 'false'] },
      {
        field: 'modle',
        message: 'is not a field here, did you mean model?',
        allowed: ['model', 'seed', 'algorithms', 'rollout', 'requestedBy'],
      },
    ]);
  });

  it.each([[undefined], [null], ['prices'], [7], [['prices']]])('says what an input looks like for %j', (raw) => {
    expect(problems(parseTrainInput(raw))).toEqual([
      { field: 'input', message: 'expected one JSON object', allowed: ['{"model":"NAME"}'] },
    ]);
  });

  it('is not fooled by fields of every object', () => {
    expect(fields(parseTrainInput(JSON.parse('{"model":"a","__proto__":{"seed":1},"constructor":1}')))).toEqual([
      '__proto__',
      'constructor',
    ]);
  });
});

describe('the input of rolloutModel', () => {
  it('takes a strategy and parts of a plan', () => {
    const raw = {
      model: 'prices',
      version: 2,
      strategy: 'canary',
      plan: { steps: [{ weightPercent: 100, bakeTimeMs: 5 }], limits: { p95MsMax: 80 }, minRequests: 3 },
      reason: 'better',
    };
    expect(parseRolloutInput(raw)).toEqual({ ok: true, value: { ...raw, requestedBy: 'temporal' } });
  });

  it('names the strategies, and the place of each problem in the plan', () => {
    const parsed = parseRolloutInput({
      model: 'prices',
      version: '2',
      strategy: 'canery',
      plan: { steps: [{ weight: 5, bakeTimeMs: 1 }, 7], limits: [], minRequest: 1 },
    });
    expect(fields(parsed)).toEqual([
      'version',
      'strategy',
      'plan.steps[1]',
      'plan.steps[0].weightPercent',
      'plan.steps[0].weight',
      'plan.limits',
      'plan.minRequest',
    ]);
    expect(problems(parsed)[1]).toEqual({
      field: 'strategy',
      message: 'expected one of the names, found the text "canery"',
      allowed: ['canary', 'blue-green', 'launch-ramp', 'shadow', 'ab', 'all-at-once'],
    });
    expect(problems(parsed)[6]?.message).toBe('is not a field here, did you mean minRequests?');
  });

  it.each([0, -1, 1.5, 3e9, NaN])('has no version %d', (version) => {
    expect(fields(parseRolloutInput({ model: 'prices', version }))).toEqual(['version']);
    expect(fields(parseValidateInput({ model: 'prices', version }))).toEqual(['version']);
  });
});

describe('the argument of a command', () => {
  it.each([[undefined], [null], [{}]])('may be missing: %j', (raw) => {
    expect(parseCommandInput(raw)).toEqual({ ok: true, value: { by: 'temporal', reason: '', expiresAtMs: null } });
  });

  it('carries who, why and until when', () => {
    expect(parseCommandInput({ by: 'bob', reason: 'bad', expiresAt: '2030-01-31T12:00:00Z' })).toEqual({
      ok: true,
      value: { by: 'bob', reason: 'bad', expiresAtMs: Date.UTC(2030, 0, 31, 12) },
    });
    expect(fields(parseCommandInput({ expiresAt: 'soon', who: 'bob' }))).toEqual(['expiresAt', 'who']);
    expect(fields(parseCommandInput('stop'))).toEqual(['input']);
  });
});
