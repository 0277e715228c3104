import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floorToFloat32 } from '../../../../models/onnx/float32.ts';

describe('floorToFloat32', () => {
  it('keeps the side of every float32 value', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: -1e38, max: 1e38 }), fc.float({ noNaN: true }), (threshold, value) => {
        const floored = floorToFloat32(threshold);
        expect(value <= floored).toBe(value <= threshold);
        expect(Math.fround(floored)).toBe(floored);
        // The values next to the threshold are where the nearest float32 would fail.
        const near = Math.fround(threshold);
        expect(near <= floored).toBe(near <= threshold);
      }),
    );
  });

  it('goes down through zero', () => {
    expect(floorToFloat32(-1e-300)).toBe(-(2 ** -149));
    expect(floorToFloat32(1e-300)).toBe(0);
    expect(floorToFloat32(0.1)).toBeLessThanOrEqual(0.1);
  });
});
