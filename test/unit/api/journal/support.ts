import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';
import { linesOf, readFrame } from '../../../../api/journal/frame.ts';
import { segmentPath } from '../../../../api/journal/journal-files.ts';
import { createJournalWriter } from '../../../../api/journal/journal-writer.ts';
import type { JournalWriter, JournalWriterDeps } from '../../../../api/journal/journal-writer.ts';
import type { RecordSink } from '../../../../api/serving/record-sink.ts';
import type { PredictionRecord } from '../../../../domain/records.ts';

export function record(over: Partial<PredictionRecord> = {}): PredictionRecord {
  return {
    requestId: randomUUID(),
    model: 'm',
    version: 1,
    variant: 'champion',
    rolloutId: null,
    entityId: null,
    features: { x: 1, colour: 'red' },
    probability: 0.25,
    label: 'no',
    risk: 'low',
    latencyMs: 0.5,
    createdAtMs: 1_750_000_000_123,
    ...over,
  };
}

export function records(count: number, over: Partial<PredictionRecord> = {}): PredictionRecord[] {
  return Array.from({ length: count }, () => record(over));
}

export function temporaryFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sluice-journal-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

export function fakeLog() {
  return { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
}

function fakeFallback() {
  const taken: PredictionRecord[] = [];
  const sink: RecordSink = {
    write: (one) => void taken.push(one),
    flushed: () => null,
    queued: () => taken.length,
    dropped: () => 0,
    close: () => Promise.resolve(),
  };
  return { sink, taken };
}

export function openWriter(dir: string, over: Partial<JournalWriterDeps> = {}) {
  const instance = randomUUID();
  const fallback = fakeFallback();
  const log = fakeLog();
  const writer = createJournalWriter({ dir, instance, fallback: fallback.sink, log, ...over });
  onTestFinished(() => writer.close(100));
  return { writer, instance, fallback: fallback.taken, log };
}

/** Writes records as one turn and waits until they are in the journal. */
export async function writeTurn(writer: JournalWriter, turn: readonly PredictionRecord[]): Promise<void> {
  for (const one of turn) writer.write(one);
  await writer.flushed();
}

/** Frames of a segment: the request ids of each. */
export function idsOfFrames(path: string): string[][] {
  const bytes = readFileSync(path);
  const frames: string[][] = [];
  for (let at = 0; at < bytes.length;) {
    const read = readFrame(bytes, at);
    if (read.kind !== 'frame') throw new Error(`no frame at ${at} of ${path}`);
    frames.push(linesOf(read.payload).map((line) => (JSON.parse(line) as { request_id: string }).request_id));
    at += read.bytes;
  }
  return frames;
}

export function segmentsOf(dir: string, instance: string): string[] {
  return readdirSync(join(dir, instance))
    .filter((name) => name.endsWith('.jnl'))
    .sort()
    .map((name) => segmentPath(dir, instance, Number.parseInt(name, 10)));
}

export const idsOf = (of: readonly PredictionRecord[]): string[] => of.map((one) => one.requestId);
