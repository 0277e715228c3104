import { openSync, statSync, writeSync } from 'node:fs';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { SegmentIo } from '../../../../api/journal/segment-file.ts';
import { idsOf, idsOfFrames, openWriter, record, records, segmentsOf, temporaryFolder, writeTurn } from './support.ts';

const full = (): never => {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
};

describe('the journal writer', () => {
  it('appends the records of one turn with one write, before anybody who waits for it goes on', async () => {
    const dir = temporaryFolder();
    const writes = vi.fn<SegmentIo['writeSync']>(writeSync);
    const { writer, instance } = openWriter(dir, { io: { openSync, writeSync: writes } });
    const turn = records(3);
    const answered: string[] = [];
    // Each answer comes out of a chain of promises of its own length, as those of a shared run do.
    const answers = turn.map(async (one, i) => {
      for (let step = 0; step < i * 3; step += 1) await Promise.resolve();
      writer.write(one);
      await writer.flushed();
      answered.push(one.requestId);
      expect(writes).toHaveBeenCalledTimes(1);
    });
    expect(writes).not.toHaveBeenCalled();
    await Promise.all(answers);
    expect(answered.sort()).toEqual(idsOf(turn).sort());
    expect(writer.flushed()).toBeNull();
    await writeTurn(writer, [record()]);
    expect(writes).toHaveBeenCalledTimes(2);
    const [segment] = segmentsOf(dir, instance);
    expect(idsOfFrames(segment ?? '').map((frame) => frame.length)).toEqual([3, 1]);
    expect(writer.status()).toEqual({ appended: 4, spilled: 0, failing: false });
  });

  it('writes a turn of many long records in several frames, and a record longer than its buffer', async () => {
    const dir = temporaryFolder();
    const { writer, instance } = openWriter(dir);
    const long = records(20, { features: { text: 'ä'.repeat(50_000) } });
    const longest = record({ features: { text: '\u0000'.repeat(700_000) } });
    await writeTurn(writer, [...long, longest]);
    const frames = segmentsOf(dir, instance).flatMap(idsOfFrames);
    expect(frames.length).toBeGreaterThan(3);
    expect(frames.flat()).toEqual(idsOf([...long, longest]));
  });

  it('begins another segment when one is large', async () => {
    const dir = temporaryFolder();
    const { writer, instance } = openWriter(dir, { segmentBytes: 1_000 });
    const all = records(12);
    for (const one of all) await writeTurn(writer, [one]);
    const segments = segmentsOf(dir, instance);
    expect(segments.length).toBeGreaterThan(2);
    expect(segments.flatMap(idsOfFrames).flat()).toEqual(idsOf(all));
  });

  it('begins another segment after standing still for so long that it may be taken for dead', async () => {
    const dir = temporaryFolder();
    const clock = vi.spyOn(performance, 'now');
    const { writer, instance } = openWriter(dir);
    await writeTurn(writer, [record()]);
    const now = performance.now();
    clock.mockImplementation(() => now + 16_000);
    await writeTurn(writer, [record()]);
    clock.mockRestore();
    expect(segmentsOf(dir, instance)).toHaveLength(2);
  });

  it('gives the records to the memory while the disk is full, and comes back by itself', async () => {
    const dir = temporaryFolder();
    let isFull = true;
    const io: SegmentIo = { openSync, writeSync: (...args) => (isFull ? full() : writeSync(...args)) };
    const { writer, instance, fallback, log } = openWriter(dir, { io });
    const clock = vi.spyOn(performance, 'now');
    const now = performance.now();
    clock.mockImplementation(() => now);
    const lost = records(2);
    await writeTurn(writer, lost);
    await writeTurn(writer, [record()]);
    expect(writer.status()).toEqual({ appended: 0, spilled: 3, failing: true });
    expect(idsOf(fallback).slice(0, 2)).toEqual(idsOf(lost));
    expect(log.error).toHaveBeenCalledTimes(1);
    isFull = false;
    clock.mockImplementation(() => now + 1_001);
    const kept = record();
    await writeTurn(writer, [kept]);
    clock.mockRestore();
    expect(writer.status()).toMatchObject({ appended: 1, spilled: 3, failing: false });
    expect(segmentsOf(dir, instance).flatMap(idsOfFrames).flat()).toEqual([kept.requestId]);
  });

  it.skipIf(process.platform !== 'linux')('meets a disk that is full in truth', async () => {
    const { writer, fallback } = openWriter(temporaryFolder(), {
      io: { openSync: () => openSync('/dev/full', 'w'), writeSync },
    });
    await writeTurn(writer, records(2));
    expect(fallback).toHaveLength(2);
    expect(writer.status().failing).toBe(true);
  });

  it('takes back half a frame that a disk had room for', async () => {
    const dir = temporaryFolder();
    let room = Infinity;
    const io: SegmentIo = {
      openSync,
      writeSync: (fd, buffer, offset, length) => {
        if (room <= 0) full();
        const part = Math.min(length, room);
        room -= part;
        return writeSync(fd, buffer, offset, part);
      },
    };
    const { writer, instance, fallback } = openWriter(dir, { io });
    const first = record();
    await writeTurn(writer, [first]);
    room = 100;
    await writeTurn(writer, [record()]);
    expect(fallback).toHaveLength(1);
    room = Infinity;
    const clock = vi.spyOn(performance, 'now');
    const now = performance.now();
    clock.mockImplementation(() => now + 1_001);
    const last = record();
    await writeTurn(writer, [last]);
    clock.mockRestore();
    expect(segmentsOf(dir, instance).flatMap(idsOfFrames).flat()).toEqual([first.requestId, last.requestId]);
  });

  it('serves without a folder to write to', async () => {
    const { writer, fallback, log } = openWriter('/dev/null/journal');
    await writeTurn(writer, records(2));
    expect(fallback).toHaveLength(2);
    expect(log.error).toHaveBeenCalled();
  });

  it('writes what waits when it closes, and takes its sign of life away', async () => {
    const dir = temporaryFolder();
    const { writer, instance, fallback } = openWriter(dir);
    const alive = join(dir, instance, 'alive');
    expect(existsSync(alive)).toBe(true);
    const last = record();
    writer.write(last);
    await writer.close(100);
    expect(existsSync(alive)).toBe(false);
    expect(segmentsOf(dir, instance).flatMap(idsOfFrames).flat()).toEqual([last.requestId]);
    writer.write(record());
    expect(fallback).toHaveLength(1);
  });

  it('keeps what clients sent for its owner alone', async () => {
    const dir = temporaryFolder();
    const { writer, instance } = openWriter(dir);
    await writeTurn(writer, [record()]);
    expect(statSync(segmentsOf(dir, instance)[0] ?? '').mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, instance)).mode & 0o777).toBe(0o700);
  });
});
