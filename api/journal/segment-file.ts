import { close, fdatasync, fsync, ftruncateSync, mkdirSync, open, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ALIVE_FILE, segmentPath } from './journal-files.ts';

/** The calls that a full disk fails; tests bring such ones. */
export interface SegmentIo {
  readonly openSync: (path: string, flags: string, mode: number) => number;
  readonly writeSync: (fd: number, buffer: Buffer, offset: number, length: number) => number;
}

/** Records hold what clients sent: for the owner alone. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export const fileIo: SegmentIo = { openSync, writeSync };

/** One segment open for appending. */
export class SegmentFile {
  readonly openedAtMs = performance.now();
  readonly #fd: number;
  readonly #io: SegmentIo;
  #bytes = 0;
  #syncedBytes = 0;
  #syncs = 0;
  #closing: (() => void) | null = null;

  /** @throws the system's error when the file cannot be made */
  constructor(dir: string, instance: string, segment: number, io: SegmentIo) {
    const folder = join(dir, instance);
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    writeFileSync(join(folder, ALIVE_FILE), '', { mode: FILE_MODE });
    this.#io = io;
    this.#fd = io.openSync(segmentPath(dir, instance, segment), 'ax', FILE_MODE);
    syncFolder(folder);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends all of it or nothing. It is in the system's hands when this returns: a killed process loses none of it.
   * @throws the system's error; `HalfWritten` when a part was written that cannot be taken back
   */
  append(buffer: Buffer, length: number): void {
    let written = 0;
    try {
      while (written < length) written += this.#io.writeSync(this.#fd, buffer, written, length - written);
    } catch (error) {
      if (written > 0) this.#takeBack(error);
      throw error;
    }
    this.#bytes += length;
  }

  /** Asks the disk to keep what is written; a failure is reported, and the next call tries again. */
  sync(onFailure: (error: unknown) => void, done?: () => void): void {
    const bytes = this.#bytes;
    if (this.#syncedBytes === bytes || this.#syncs > 0) {
      done?.();
      return;
    }
    this.#syncs += 1;
    fdatasync(this.#fd, (error) => {
      this.#syncs -= 1;
      if (error === null) this.#syncedBytes = Math.max(this.#syncedBytes, bytes);
      else onFailure(error);
      if (this.#syncs === 0) this.#closing?.();
      done?.();
    });
  }

  /** Syncs what is written and closes; append no more. */
  close(onFailure: (error: unknown) => void): Promise<void> {
    return new Promise((resolve) => {
      const closeFile = (): void => {
        this.#closing = null;
        close(this.#fd, () => resolve());
      };
      const syncAndClose = (): void => {
        this.#closing = null;
        this.sync(onFailure, closeFile);
      };
      // A sync on its way holds the file, and what came behind it wants one more.
      if (this.#syncs > 0) this.#closing = syncAndClose;
      else syncAndClose();
    });
  }

  #takeBack(cause: unknown): void {
    try {
      ftruncateSync(this.#fd, this.#bytes);
    } catch {
      throw new HalfWritten('a part of a frame was written and could not be taken back', { cause });
    }
  }
}

/** The segment ends with a torn frame: nothing may follow it in this file. */
export class HalfWritten extends Error {}

/** Makes the name of a new file survive a power cut; best effort. */
function syncFolder(folder: string): void {
  open(folder, 'r', (error, fd) => {
    if (error === null) fsync(fd, () => close(fd));
  });
}
