/** A figure with the bar it has to pass. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Inclusive; `null`: shown for information. */
  readonly bar: number | null;
  /** On which side of the bar is good. */
  readonly better: 'higher' | 'lower';
}

/** A platform that runs already; benches that need none ignore it. */
export interface BenchTarget {
  readonly url?: string;
  readonly key?: string;
  /** Folder of the yardstick, for the benches that compare with other servers. */
  readonly yardstick?: string;
  /** Of the benches that have many cases: only this one. */
  readonly strategy?: string;
  readonly part?: string;
}

export interface Bench {
  /** One line for the list. */
  readonly description: string;
  /** `log` takes lines about what is going on; the figures are the result. */
  run(log: (line: string) => void, target: BenchTarget): Promise<readonly Figure[]>;
}

export function passes({ value, bar, better }: Figure): boolean {
  if (Number.isNaN(value)) return false;
  return bar === null || (better === 'higher' ? value >= bar : value <= bar);
}

/** `>= 0.848`, or `-` without a bar. */
export function describeBar({ bar, better }: Figure): string {
  return bar === null ? '-' : `${better === 'higher' ? '>=' : '<='} ${bar}`;
}
