/** Uniform numbers in [0, 1) from a seed: Marsaglia's xorshift32 behind a multiplicative mix of the seed. */
export function createRandom(seed: number): () => number {
  // xorshift stands still at 0
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ (seed >>> 15)) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return (state - 1) / 0xffffffff;
  };
}
