import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../../domain/errors.ts';
import { readArtefact } from '../../../../models/serving/read-artefact.ts';
import { sliceModel } from '../../../../models/serving/sliced-model.ts';
import { concatBytes, delimitedField, splitFields } from '../../../../models/serving/wire-fields.ts';
import { categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';

const model = tinyModel({ features: [numberFeature('x'), categoryFeature('plan', ['a', 'b'])] });

describe('splitFields', () => {
  it('cuts a message into pieces that make it up again', () => {
    const fields = splitFields(model.onnx);
    expect(Buffer.from(concatBytes(fields.map((f) => f.raw))).equals(model.onnx)).toBe(true);
    expect(fields.map((f) => f.field)).toEqual([1, 2, 7, 8, 8]);
  });

  it('reads what delimitedField writes, of any length', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.uint8Array({ maxLength: 70_000, size: 'max' }),
        (n, bytes) => {
          const [only, ...rest] = splitFields(delimitedField(n, [bytes.subarray(0, 10), bytes.subarray(10)]));
          expect(rest).toEqual([]);
          expect(only?.field).toBe(n);
          expect(Buffer.from(only!.payload).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('steps over numbers of every wire type', () => {
    const numbers = [0x08, 0x96, 0x01, 0x11, 1, 2, 3, 4, 5, 6, 7, 8, 0x1d, 1, 2, 3, 4];
    expect(splitFields(Uint8Array.from(numbers)).map((f) => [f.field, f.raw.length])).toEqual([
      [1, 3],
      [2, 9],
      [3, 5],
    ]);
  });

  it('answers any bytes with their pieces or a RangeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
        try {
          expect(concatBytes(splitFields(bytes).map((f) => f.raw))).toEqual(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a damaged model file', () => {
  it('is read or refused as corrupt, wherever it is cut or changed', () => {
    const damage = fc.record({
      at: fc.nat({ max: model.onnx.length - 1 }),
      byte: fc.nat({ max: 255 }),
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(damage, ({ at, byte, cut }) => {
        const bytes = cut ? model.onnx.slice(0, at) : Uint8Array.from(model.onnx, (b, i) => (i === at ? byte : b));
        try {
          readArtefact(bytes, model.signature);
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
          expect((error as DomainError).code).toBe('artefactCorrupt');
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('says which part is missing', () => {
    expect(() => sliceModel(new Uint8Array())).toThrow('it does not hold one graph');
    expect(() => sliceModel(delimitedField(7, []))).toThrow('its graph holds no node');
  });
});
