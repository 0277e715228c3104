/**
 * What explanations need to know of the training rows and the graph does not say: with how many rows, or with which mean,
 * an answer is compared. It travels in the model file, as one entry of ONNX's `metadata_props`, which every runtime
 * leaves aside.
 */
export type Background =
  /** Training rows in each leaf, in the order of the operator's `target_nodeids`. */
  | { readonly kind: 'trees'; readonly leafRows: readonly number[] }
  /** Mean over the training rows of what each feature adds to the graph's constant `start`, in signature order. */
  | { readonly kind: 'additive'; readonly means: readonly number[] };

/** Key in `metadata_props`. */
export const BACKGROUND_KEY = 'sluice.background';

/** The same background gives the same text. */
export function writeBackground(background: Background): string {
  return background.kind === 'trees'
    ? JSON.stringify({ kind: background.kind, leafRows: background.leafRows })
    : JSON.stringify({ kind: background.kind, means: background.means });
}

/** @returns null when the text is not one of `writeBackground` */
export function readBackground(text: string): Background | null {
  const found = parsed(text);
  if (found?.['kind'] === 'trees') {
    const leafRows = numbers(found['leafRows'], (n) => Number.isSafeInteger(n) && n > 0);
    return leafRows === null ? null : { kind: 'trees', leafRows };
  }
  if (found?.['kind'] === 'additive') {
    const means = numbers(found['means'], Number.isFinite);
    return means === null ? null : { kind: 'additive', means };
  }
  return null;
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function numbers(value: unknown, fits: (n: number) => boolean): readonly number[] | null {
  if (!Array.isArray(value)) return null;
  return value.every((n) => typeof n === 'number' && fits(n)) ? (value as number[]) : null;
}
