import type { FeatureType } from '../../domain/signature.ts';
import { cellText } from './cells.ts';
import type { DataColumn } from './dataset.ts';
import { grouped } from './limits.ts';

/** Values named in a message. */
const EXAMPLES_MAX = 3;
/** float32, the type of every number in the artefact. */
const FLOAT32_MAX = 3.4028234663852886e38;

/** True when every value that is there is a whole number. */
export function wholeNumbers(values: Float64Array): boolean {
  return values.every((value) => Number.isNaN(value) || Number.isSafeInteger(value));
}

/** Why a column cannot be a feature of this type, with examples; `null` when it can. */
export function typeProblem(column: DataColumn, type: FeatureType): string | null {
  const fits = FITS[type];
  const examples = new Set<string>();
  let misfits = 0;
  for (let row = 0; row < column.values.length; row += 1) {
    const text = cellText(column, row);
    if (text === null || fits(text, column.kind)) continue;
    misfits += 1;
    if (examples.size < EXAMPLES_MAX) examples.add(`"${text}"`);
  }
  if (misfits === 0) return null;
  const values = `${grouped(misfits)} value${misfits === 1 ? '' : 's'}`;
  return `${values} cannot be ${NAMES[type]}, for example ${[...examples].join(', ')}`;
}

const isNumber = (text: string): boolean => text.trim() !== '' && Math.abs(Number(text)) <= FLOAT32_MAX;

const FITS: Readonly<Record<FeatureType, (text: string, kind: DataColumn['kind']) => boolean>> = {
  category: () => true,
  boolean: (text, kind) => /^(true|false)$/i.test(text) || (kind === 'number' && /^[01]$/.test(text)),
  number: (text, kind) => kind === 'boolean' || isNumber(text),
  integer: (text, kind) => kind === 'boolean' || (isNumber(text) && Number.isSafeInteger(Number(text))),
};

const NAMES: Readonly<Record<FeatureType, string>> = {
  category: 'a category',
  boolean: 'a boolean (true or false, 0 or 1)',
  number: 'a number',
  integer: 'a whole number',
};
