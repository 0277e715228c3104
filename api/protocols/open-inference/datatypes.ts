/** The tensor datatypes of the protocol, as JSON and as little-endian bytes (binary tensor extension). */

export type TensorValue = string | number | bigint | boolean | null;

export interface FixedType {
  readonly bytes: number;
  /** What a value must be, in words. */
  readonly expectation: string;
  /** Whether a value of JSON can be one of this type as it is. */
  fits(value: unknown): boolean;
  /** `undefined`: the bytes are no value of this type. */
  read(view: DataView, at: number): TensorValue | undefined;
  write(view: DataView, at: number, value: never): void;
}

const LITTLE_ENDIAN = true;

function integer(bits: 8 | 16 | 32, signed: boolean): FixedType {
  const min = signed ? -(2 ** (bits - 1)) : 0;
  const max = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
  const kind = `${signed ? 'Int' : 'Uint'}${bits}` as const;
  return {
    bytes: bits / 8,
    expectation: `a whole number from ${min} to ${max}`,
    fits: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    read: (view, at) => view[`get${kind}`](at, LITTLE_ENDIAN),
    write: (view, at, value: number) => view[`set${kind}`](at, value, LITTLE_ENDIAN),
  };
}

function longInteger(signed: boolean): FixedType {
  const kind = signed ? 'BigInt64' : 'BigUint64';
  return {
    bytes: 8,
    // Beyond 2^53 a JSON number has lost digits before anyone here sees it.
    expectation: `a whole number from ${signed ? '-' : ''}${signed ? '(2^53-1)' : '0'} to 2^53-1 (larger ones only as binary data)`,
    fits: (value) => Number.isSafeInteger(value) && (signed || (value as number) >= 0),
    read: (view, at) => {
      const value = view[`get${kind}`](at, LITTLE_ENDIAN);
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    },
    write: (view, at, value: number | bigint) => view[`set${kind}`](at, BigInt(value), LITTLE_ENDIAN),
  };
}

function float(bits: 32 | 64): FixedType {
  return {
    bytes: bits / 8,
    expectation: 'a number',
    fits: (value) => typeof value === 'number',
    read: (view, at) => view[`getFloat${bits}`](at, LITTLE_ENDIAN),
    write: (view, at, value: number) => view[`setFloat${bits}`](at, value, LITTLE_ENDIAN),
  };
}

const boolean: FixedType = {
  bytes: 1,
  expectation: 'true or false (as binary data: a byte 1 or 0)',
  fits: (value) => typeof value === 'boolean',
  read: (view, at) => {
    const byte = view.getUint8(at);
    return byte > 1 ? undefined : byte === 1;
  },
  write: (view, at, value: boolean) => view.setUint8(at, value ? 1 : 0),
};

/** All but BYTES, whose elements differ in length, and the half floats, which no feature needs. */
const FIXED_TYPES: Readonly<Record<string, FixedType>> = {
  BOOL: boolean,
  UINT8: integer(8, false),
  UINT16: integer(16, false),
  UINT32: integer(32, false),
  UINT64: longInteger(false),
  INT8: integer(8, true),
  INT16: integer(16, true),
  INT32: integer(32, true),
  INT64: longInteger(true),
  FP32: float(32),
  FP64: float(64),
};

export const BYTES = 'BYTES';
export const DATATYPES: readonly string[] = [...Object.keys(FIXED_TYPES), BYTES];

export const fixedType = (datatype: string): FixedType | undefined =>
  Object.hasOwn(FIXED_TYPES, datatype) ? FIXED_TYPES[datatype] : undefined;

export const isNumeric = (datatype: string): boolean => datatype !== 'BOOL' && fixedType(datatype) !== undefined;
