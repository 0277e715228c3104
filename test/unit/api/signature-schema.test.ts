import { describe, expect, it } from 'vitest';
import { exampleFeatures, featuresSchema } from '../../../api/signature-schema.ts';
import { signature } from './support/samples.ts';

describe('the schema of the features', () => {
  it('requires what may not be missing, and names categories and ranges that are refused beyond', () => {
    expect(featuresSchema(signature)).toEqual({
      type: 'object',
      additionalProperties: false,
      required: ['contract', 'months'],
      properties: {
        contract: { type: 'string', enum: ['monthly', 'yearly'] },
        months: { type: 'integer', minimum: 0, maximum: 72 },
        charge: {
          type: ['number', 'null'],
          description: 'Seen in training: 10 to 120; others are answered with a warning',
        },
        paperless: { type: ['boolean', 'null'] },
      },
    });
  });

  it('does not list a thousand categories', () => {
    const categories = Array.from({ length: 1000 }, (_, i) => `c${i}`);
    const feature = { name: 'city', type: 'category', categories, missing: 'flag', unknown: 'reject' } as const;
    const schema = featuresSchema({ ...signature, features: [{ ...feature, outOfRange: 'flag' }] });
    expect(JSON.stringify(schema).length).toBeLessThan(1000);
    expect(JSON.stringify(schema)).toContain('and 900 more; another one is refused');
  });

  it('comes with a row that fits', () => {
    expect(exampleFeatures(signature)).toEqual({ contract: 'monthly', months: 36, charge: 65, paperless: true });
  });
});
