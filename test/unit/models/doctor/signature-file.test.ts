import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../../domain/errors.ts';
import { parseSignatureFile } from '../../../../models/doctor/signature-file.ts';

function problemsOf(text: string): readonly string[] {
  try {
    parseSignatureFile(text);
  } catch (error) {
    if (error instanceof DomainError) return error.problems.map((p) => `${p.field}: ${p.message}`);
    throw error;
  }
  return [];
}

describe('a signature file', () => {
  it('is YAML or JSON, and says as little as one likes', () => {
    expect(parseSignatureFile('threshold: 0.3')).toEqual({ threshold: 0.3 });
    const json = '{"features": [{"name": "a"}], "target": {"positive": 1, "negative": false}}';
    expect(parseSignatureFile(json)).toEqual({
      features: [{ name: 'a', type: 'number' }],
      target: { positive: '1', negative: 'false' },
    });
  });

  it('lists columns of any order with gaps, as long as none is used twice', () => {
    const plan = '{ name: plan, type: category, encoding: oneHot, categories: [a, b, c], column: 4 }';
    expect(problemsOf(`features: [${plan}, { name: age, column: 0 }, { name: debt, column: 7 }]`)).toEqual([]);
    expect(problemsOf(`features: [${plan}, { name: age, column: 6 }]`)).toEqual([
      'features: plan and age share column 6',
    ]);
    expect(problemsOf(`features: [{ name: x, column: 5 }, ${plan}]`)).toEqual(['features: plan and x share column 5']);
  });

  it.each([
    ['a: {', /^signature: not YAML/],
    ['features: []', /^features: /],
    ['features: [{ name: a, typ: number }]', /unknown key, did you mean "type"/],
    ['features: [{ name: a }, { name: a }]', /features\[1\].name: a is there twice/],
    ['features: [{ name: a, type: category, encoding: oneHot }]', /list its categories in the order of the columns/],
    ['features: [{ name: a, type: category, encoding: code }]', /in the order of the codes/],
    ['features: [{ name: a, type: category, categories: [x, x] }]', /names a category twice/],
    ["features: [{ name: a, type: category, categories: [x, ' '] }]", /a blank value is a missing one/],
    ['features: [{ name: a, type: category, min: 1 }]', /has no range/],
    ['features: [{ name: a, categories: [x] }]', /its type is category/],
    ['features: [{ name: a, encoding: oneHot }]', /is fed as it is/],
    ['features: [{ name: a, min: 2, max: 1 }]', /min is more than max/],
    ['risk: { medium: 0.8, high: 0.2 }', /must not be more than risk.high/],
    ['threshold: 2', /^threshold/],
  ])('%s is refused', (text, problem) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(problem);
  });

  it('does not expand without end', () => {
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [name, of] of ['b a', 'c b', 'd c', 'e d', 'f e'].map((s) => s.split(' '))) {
      bomb.push(`${name!}: &${name!} [${Array.from({ length: 9 }, () => `*${of!}`).join(', ')}]`);
    }
    expect(problemsOf(bomb.join('\n'))[0]).toMatch(/^signature: .*alias/);
  });
});
