/** The binary tensor extension: elements in row-major order, little-endian; BYTES with a length of four bytes before each. */
import { BYTES, fixedType } from './datatypes.ts';
import type { TensorValue } from './datatypes.ts';

const LENGTH_BYTES = 4;

export type ReadTensor =
  | { readonly ok: true; readonly values: readonly TensorValue[] }
  /** `element` where one of them is at fault. */
  | { readonly ok: false; readonly message: string; readonly element?: number };

/**
 * @param datatype one of `DATATYPES`
 * @param count elements the shape holds; checked against the bytes before anything is allocated
 */
export function readTensorBytes(datatype: string, bytes: Uint8Array, count: number): ReadTensor {
  const type = fixedType(datatype);
  if (type === undefined) return readStrings(bytes, count);
  if (bytes.byteLength !== count * type.bytes) {
    const expected = `${count} elements of ${datatype} take ${count * type.bytes} bytes`;
    return { ok: false, message: `${expected}, binary_data_size says ${bytes.byteLength}` };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: TensorValue[] = [];
  for (let element = 0; element < count; element += 1) {
    const value = type.read(view, element * type.bytes);
    if (value === undefined) return { ok: false, element, message: `expected ${type.expectation}` };
    values.push(value);
  }
  return { ok: true, values };
}

function readStrings(bytes: Uint8Array, count: number): ReadTensor {
  if (bytes.byteLength < count * LENGTH_BYTES) {
    const message = `${count} elements of BYTES take at least ${count * LENGTH_BYTES} bytes, there are ${bytes.byteLength}`;
    return { ok: false, message };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Fatal: a replacement character would make a wrong category look like an unknown one.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const values: string[] = [];
  let at = 0;
  for (let element = 0; element < count; element += 1) {
    if (at + LENGTH_BYTES > bytes.byteLength) return { ok: false, element, message: 'the data ends before it' };
    const end = at + LENGTH_BYTES + view.getUint32(at, true);
    if (end > bytes.byteLength) return { ok: false, element, message: 'its length goes beyond the data' };
    try {
      values.push(decoder.decode(bytes.subarray(at + LENGTH_BYTES, end)));
    } catch {
      return { ok: false, element, message: 'is not UTF-8 text' };
    }
    at = end;
  }
  const rest = bytes.byteLength - at;
  return rest === 0 ? { ok: true, values } : { ok: false, message: `${rest} bytes are left over after its elements` };
}

/** @param values of the datatype's own kind: the caller made them */
export function writeTensorBytes(datatype: string, values: readonly TensorValue[]): Buffer {
  const type = fixedType(datatype);
  if (type === undefined || datatype === BYTES) return Buffer.concat(values.flatMap((v) => lengthAndText(String(v))));
  const bytes = Buffer.alloc(values.length * type.bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  values.forEach((value, i) => type.write(view, i * type.bytes, value as never));
  return bytes;
}

function lengthAndText(value: string): readonly Buffer[] {
  const text = Buffer.from(value, 'utf8');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.byteLength);
  return [length, text];
}
