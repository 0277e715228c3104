import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATATYPES } from '../../../../api/protocols/open-inference/datatypes.ts';
import type { TensorValue } from '../../../../api/protocols/open-inference/datatypes.ts';
import { readTensorBytes, writeTensorBytes } from '../../../../api/protocols/open-inference/tensor-bytes.ts';

const signed = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const unsigned = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 });
/** What is safe as a number reads as one. */
const narrowed = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

const VALUES: Readonly<Record<string, fc.Arbitrary<TensorValue>>> = {
  BOOL: fc.boolean(),
  UINT8: unsigned(8),
  UINT16: unsigned(16),
  UINT32: unsigned(32),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(narrowed),
  INT8: signed(8),
  INT16: signed(16),
  INT32: signed(32),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(narrowed),
  FP32: fc.float(),
  FP64: fc.double(),
  BYTES: fc.string({ unit: 'binary' }),
};

describe('binary tensors', () => {
  it.each(DATATYPES)('%s comes back as it went', (datatype) => {
    fc.assert(
      fc.property(fc.array(VALUES[datatype]!, { maxLength: 40 }), (values) => {
        const bytes = writeTensorBytes(datatype, values);
        expect(readTensorBytes(datatype, bytes, values.length)).toEqual({ ok: true, values });
      }),
    );
  });

  it.each([
    ['INT16', [1, -2], '0100feff'],
    ['INT64', [1], '0100000000000000'],
    ['UINT32', [4294967295], 'ffffffff'],
    ['FP32', [1, -0.5], '0000803f000000bf'],
    ['FP64', [1], '000000000000f03f'],
    ['BOOL', [true, false], '0100'],
    ['BYTES', ['ab', '', 'ß'], '020000006162' + '00000000' + '02000000c39f'],
  ])('%s is little-endian, row by row', (datatype, values, hex) => {
    expect(writeTensorBytes(datatype, values).toString('hex')).toBe(hex);
    expect(readTensorBytes(datatype, Buffer.from(hex, 'hex'), values.length)).toEqual({ ok: true, values });
  });

  it('reads from the middle of a body, wherever it lies in memory', () => {
    const body = Buffer.concat([Buffer.from('{}?'), writeTensorBytes('FP64', [0.1, 0.2])]);
    expect(readTensorBytes('FP64', body.subarray(3), 2)).toEqual({ ok: true, values: [0.1, 0.2] });
  });

  it.each([
    ['FP64', '00', 1, 'take 8 bytes, binary_data_size says 1', undefined],
    ['BOOL', '0002', 2, 'expected true or false', 1],
    ['BYTES', '0000', 1, 'at least 4 bytes', undefined],
    ['BYTES', '05000000616263', 1, 'beyond the data', 0],
    ['BYTES', 'ffffffff61', 1, 'beyond the data', 0],
    ['BYTES', '010000006100000000', 1, '4 bytes are left over', undefined],
    ['BYTES', '0400000061626364', 2, 'the data ends before it', 1],
    ['BYTES', '01000000ff', 1, 'not UTF-8', 0],
  ])('%s %s of %i elements is refused', (datatype, hex, count, message, element) => {
    const read = readTensorBytes(datatype, Buffer.from(hex, 'hex'), count);
    expect(read).toMatchObject({ ok: false, message: expect.stringContaining(message) });
    expect(read.ok ? null : read.element).toBe(element);
  });

  it('takes any bytes without throwing, and never more elements than asked for', () => {
    const count = fc.oneof(fc.nat(20), fc.constantFrom(2 ** 31, Number.MAX_SAFE_INTEGER));
    fc.assert(
      fc.property(
        fc.constantFrom(...DATATYPES),
        fc.uint8Array({ maxLength: 64 }),
        count,
        (datatype, bytes, elements) => {
          const read = readTensorBytes(datatype, bytes, elements);
          if (read.ok) expect(read.values).toHaveLength(elements);
        },
      ),
    );
  });
});
