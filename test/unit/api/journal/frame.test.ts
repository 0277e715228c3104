import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32, crc32InScript } from '../../../../api/journal/crc32.ts';
import {
  findFrame,
  FRAME_BYTES_MAX,
  HEADER_BYTES,
  linesOf,
  readFrame,
  readHeader,
  sealFrame,
} from '../../../../api/journal/frame.ts';

const line = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((s) => !s.includes('\n'));
const frames = fc.array(fc.array(line, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 });

function frameOf(lines: readonly string[], writtenAtMs = 1_750_000_000_000): Buffer {
  const payload = Buffer.from(`${lines.join('\n')}\n`);
  const buffer = Buffer.concat([Buffer.alloc(HEADER_BYTES), payload]);
  const bytes = sealFrame(buffer, payload.length, lines.length, writtenAtMs);
  return buffer.subarray(0, bytes);
}

function readAll(bytes: Buffer): string[][] {
  const found: string[][] = [];
  for (let at = 0; at < bytes.length;) {
    const read = readFrame(bytes, at);
    if (read.kind !== 'frame') break;
    expect(read.header.records).toBe(linesOf(read.payload).length);
    found.push(linesOf(read.payload));
    at += read.bytes;
  }
  return found;
}

describe('frames', () => {
  it('give back what was put in', () => {
    fc.assert(
      fc.property(frames, (all) => {
        expect(readAll(Buffer.concat(all.map((lines) => frameOf(lines))))).toEqual(all);
      }),
    );
  });

  it('cut anywhere give the whole frames before the cut, and ask for more', () => {
    fc.assert(
      fc.property(frames, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
        const whole = all.map((lines) => frameOf(lines));
        const bytes = Buffer.concat(whole);
        const cut = Math.floor(share * (bytes.length - 1));
        let before = 0;
        let end = 0;
        while (end + (whole[before]?.length ?? Infinity) <= cut) end += whole[before++]?.length ?? 0;
        expect(readAll(bytes.subarray(0, cut))).toEqual(all.slice(0, before));
        expect(readFrame(bytes.subarray(0, cut), end).kind).toBe('short');
      }),
    );
  });

  it('with any bit changed are no frames', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), fc.nat(), fc.nat(7), (lines, where, bit) => {
        const bytes = frameOf(lines);
        const at = where % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        const read = readFrame(bytes, 0);
        // A changed length may point behind the end; then the frame never becomes whole.
        expect(read.kind).not.toBe('frame');
      }),
    );
  });

  it('are found again behind damage, zeros and look-alikes', () => {
    const sound = frameOf(['{"a":1}']);
    for (const damage of [Buffer.alloc(100), Buffer.from('#00000000 what\n#'), sound.subarray(0, 20)]) {
      expect(findFrame(Buffer.concat([damage, sound]), 0)).toBe(damage.length);
    }
    expect(findFrame(Buffer.alloc(100), 0)).toBe(-1);
  });

  it('tell when they were written, and refuse a length that no frame has', () => {
    const bytes = frameOf(['x'], 1_750_000_000_123);
    expect(readHeader(bytes)).toMatchObject({ writtenAtMs: 1_750_000_000_123, records: 1, payloadBytes: 2 });
    bytes.write((FRAME_BYTES_MAX + 1).toString(16).padStart(8, '0'), 10, 'latin1');
    expect(readFrame(bytes, 0).kind).toBe('broken');
  });
});

describe('the checksum', () => {
  it('is the CRC-32 of zlib, with or without the native one', () => {
    const check = Buffer.from('123456789');
    expect(crc32(check)).toBe(0xcbf43926);
    expect(crc32InScript(check)).toBe(0xcbf43926);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(crc32InScript(bytes)).toBe(crc32(bytes));
      }),
    );
  });
});
