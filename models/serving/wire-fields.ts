/**
 * The outer layer of a protobuf message (protobuf.dev/programming-guides/encoding): its fields as slices, nothing
 * decoded. Decoding a forest of 300 trees takes 40 ms of the event loop that predictions share; slicing it takes none.
 */
export interface WireField {
  readonly field: number;
  /** Content of a length-delimited field; empty for numbers. */
  readonly payload: Uint8Array;
  /** Tag, length and content, to be copied as they are. */
  readonly raw: Uint8Array;
}

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;
/** A varint has 10 bytes at most; tags and lengths that make sense have 5. */
const MAX_VARINT_BYTES = 10;

/** @throws RangeError when the bytes are no protobuf message */
export function splitFields(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  while (at < bytes.length) {
    const from = at;
    const tag = readVarint(bytes, at);
    at = tag.next;
    let payloadFrom = at;
    switch (tag.value % 8) {
      case VARINT:
        at = readVarint(bytes, at).next;
        payloadFrom = at;
        break;
      case FIXED_64:
        payloadFrom = at += 8;
        break;
      case FIXED_32:
        payloadFrom = at += 4;
        break;
      case DELIMITED: {
        const length = readVarint(bytes, at);
        payloadFrom = length.next;
        at = length.next + length.value;
        break;
      }
      default:
        throw new RangeError(`unknown wire type at byte ${from}`);
    }
    if (at > bytes.length) throw new RangeError(`the field at byte ${from} ends beyond the message`);
    const field = Math.floor(tag.value / 8);
    fields.push({ field, payload: bytes.subarray(payloadFrom, at), raw: bytes.subarray(from, at) });
  }
  return fields;
}

/** A length-delimited field of the given parts, one after the other. */
export function delimitedField(field: number, parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concatBytes([Uint8Array.from([...varint(field * 8 + DELIMITED), ...varint(length)]), ...parts]);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** By multiplication: lengths may need more than the 32 bits of a shift. */
function readVarint(bytes: Uint8Array, from: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let scale = 1;
  for (let at = from; at < from + MAX_VARINT_BYTES; at += 1) {
    const byte = bytes[at];
    if (byte === undefined) throw new RangeError(`the message ends within the number at byte ${from}`);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return { value, next: at + 1 };
    scale *= 128;
  }
  throw new RangeError(`the number at byte ${from} does not end`);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return bytes;
}
