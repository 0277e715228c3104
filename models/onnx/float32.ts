/**
 * The largest float32 that is not above `x`. For every float32 `v`, `v <= x` and `v <= floorToFloat32(x)` say the same;
 * with the nearest float32 instead, values on the threshold would change sides.
 */
export function floorToFloat32(x: number): number {
  const nearest = Math.fround(x);
  return nearest > x ? previousFloat32(nearest) : nearest;
}

function previousFloat32(value: number): number {
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  if (value === 0) return -(2 ** -149);
  // Sign and magnitude: away from zero below it, towards zero above it.
  bits.setUint32(0, bits.getUint32(0) + (value > 0 ? -1 : 1));
  return bits.getFloat32(0);
}
