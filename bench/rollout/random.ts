/** A small seeded generator (mulberry32): the simulations are the same on every machine. */
export type Random = () => number;

export function seeded(seed: number): Random {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Failures before the next success at probability `p`, by inversion. */
export function geometric(random: Random, p: number): number {
  return p >= 1 ? 0 : Math.floor(Math.log1p(-random()) / Math.log1p(-p));
}

export function exponential(random: Random, mean: number): number {
  return -mean * Math.log1p(-random());
}

/** Standard normal by Box and Muller. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log1p(-random())) * Math.cos(2 * Math.PI * random());
}
