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

export interface Bench {
  /** One line for the list. */
  readonly description: string;
  /** `log` takes lines about what is going on; the figures are the result. */
  run(log: (line: string) => void): Promise<readonly Figure[]>;
}

export function passes({ value, bar, better }: Figure): boolean {
  if (Number.isNaN(value)) return false;
  return bar === null || (better === 'higher' ? value >= bar : value <= bar);
}

/** `>= 0.848`, or `-` without a bar. */
export function describeBar({ bar, better }: Figure): string {
  return bar === null ? '-' : `${better === 'higher' ? '>=' : '<='} ${bar}`;
}
