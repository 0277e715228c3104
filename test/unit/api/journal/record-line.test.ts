import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createLineEncoder } from '../../../../api/journal/record-line.ts';
import { RISK_CATEGORIES } from '../../../../domain/records.ts';
import type { PredictionRecord } from '../../../../domain/records.ts';

const text = fc.string({ unit: 'binary', maxLength: 20 });
const value = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null));
const arbitrary: fc.Arbitrary<PredictionRecord> = fc.record({
  requestId: fc.uuid(),
  model: fc.constantFrom('m', 'other', 'with "quotes"'),
  version: fc.integer({ min: 1, max: 3 }),
  variant: fc.constantFrom('champion', 'candidate'),
  rolloutId: fc.option(fc.uuid()),
  entityId: fc.option(text),
  features: fc.dictionary(text, value),
  probability: fc.double({ min: 0, max: 1, noNaN: true }),
  label: text,
  risk: fc.constantFrom(...RISK_CATEGORIES),
  latencyMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
  createdAtMs: fc.nat(4e12),
});

describe('the line of a record', () => {
  it('says what JSON of its columns says, in one line, whatever came before it', () => {
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 8 }), (all) => {
        const encode = createLineEncoder();
        for (const r of all) {
          const line = encode(r);
          expect(line).not.toContain('\n');
          const columns = {
            request_id: r.requestId,
            created_at_ms: r.createdAtMs,
            model: r.model,
            version: r.version,
            variant: r.variant,
            rollout_id: r.rolloutId,
            entity_id: r.entityId,
            features: r.features,
            probability: r.probability,
            label: r.label,
            risk: r.risk,
            latency_ms: r.latencyMs,
          };
          expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(columns)));
          // What goes through a file of UTF-8 comes back as it was.
          expect(Buffer.from(line, 'utf8').toString('utf8')).toBe(line);
        }
      }),
    );
  });
});
