import { join } from 'node:path';
import { ALIVE_FILE, listInstances, listSegments, look, segmentPath } from './journal-files.ts';
import { createSignOfLife } from './sign-of-life.ts';
import type { SignOfLife } from './sign-of-life.ts';

export interface Segment {
  readonly instance: string;
  readonly segment: number;
  readonly path: string;
  readonly bytes: number;
  /** Nothing more will be appended. */
  readonly isFinal: boolean;
}

export interface InstanceFiles {
  /** In the order of writing. */
  readonly segments: readonly Segment[];
  /** The writer is gone: all segments are final. */
  readonly isOver: boolean;
}

/** What the journal's folder holds, by instance. */
export type Inventory = ReadonlyMap<string, InstanceFiles>;

interface Watched {
  readonly signOfLife: SignOfLife;
  /** Sizes of segments that no longer grow, so that a long journal costs no look at each. */
  readonly finalBytes: Map<number, number>;
}

const newlyWatched = (): Watched => ({ signOfLife: createSignOfLife(), finalBytes: new Map() });
const NOTHING: InstanceFiles = { segments: [], isOver: false };

/** Looks at the journal's folder again and again, and remembers what cannot change. */
export class InventoryWatch {
  readonly #dir: string;
  readonly #watched = new Map<string, Watched>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** @throws the system's error when the folder cannot be read */
  async look(nowMs: number): Promise<Inventory> {
    const instances = await listInstances(this.#dir);
    for (const known of this.#watched.keys()) if (!instances.includes(known)) this.#watched.delete(known);
    const found = await Promise.all(instances.map((instance) => this.#lookAt(instance, nowMs)));
    return new Map(instances.map((instance, i) => [instance, found[i] ?? NOTHING]));
  }

  async #lookAt(instance: string, nowMs: number): Promise<InstanceFiles> {
    const watched = this.#watched.get(instance) ?? newlyWatched();
    this.#watched.set(instance, watched);
    const { segments, hasAliveFile } = await listSegments(this.#dir, instance);
    const alive = hasAliveFile ? await look(join(this.#dir, instance, ALIVE_FILE)) : null;
    const isOver = watched.signOfLife.isOver(alive?.changedAtMs ?? null, nowMs);
    for (const gone of watched.finalBytes.keys()) if (!segments.includes(gone)) watched.finalBytes.delete(gone);
    const newest = segments.at(-1);
    const looked: Segment[] = [];
    for (const segment of segments) {
      const path = segmentPath(this.#dir, instance, segment);
      const isFinal = isOver || segment !== newest;
      const bytes = watched.finalBytes.get(segment) ?? (await look(path))?.bytes;
      if (bytes === undefined) continue;
      // Only behind a newer one: a writer taken for dead by mistake never appends to an older segment.
      if (segment !== newest) watched.finalBytes.set(segment, bytes);
      looked.push({ instance, segment, path, bytes, isFinal });
    }
    return { segments: looked, isOver };
  }
}

export function bytesIn(inventory: Inventory): number {
  let bytes = 0;
  for (const { segments } of inventory.values()) for (const segment of segments) bytes += segment.bytes;
  return bytes;
}
