import type { JournalMove } from '../../db/ports.ts';
import type { Inventory, Segment } from './inventory.ts';

/** How far each segment is shipped, as far as this shipper knows; the database's word counts. */
export class Positions {
  readonly #byInstance = new Map<string, Map<number, number>>();

  /** Instances whose positions are to be asked for. */
  unknown(inventory: Inventory): readonly string[] {
    return [...inventory.keys()].filter((instance) => !this.#byInstance.has(instance));
  }

  learn(
    instances: readonly string[],
    rows: readonly { readonly instance: string; readonly segment: number; readonly bytes: number }[],
  ): void {
    for (const instance of instances) this.#byInstance.set(instance, new Map());
    for (const { instance, segment, bytes } of rows) this.#byInstance.get(instance)?.set(segment, bytes);
  }

  move(moves: readonly JournalMove[]): void {
    for (const { instance, segment, untilBytes } of moves) this.#byInstance.get(instance)?.set(segment, untilBytes);
  }

  /** 0 for a segment that is not begun. */
  of({ instance, segment }: Segment): number {
    return this.#byInstance.get(instance)?.get(segment) ?? 0;
  }

  waitingBytes(inventory: Inventory): number {
    let bytes = 0;
    for (const { segments } of inventory.values()) {
      for (const segment of segments) bytes += Math.max(0, segment.bytes - this.of(segment));
    }
    return bytes;
  }

  forgetSegment({ instance, segment }: Segment): void {
    this.#byInstance.get(instance)?.delete(segment);
  }

  forgetInstances(instances: Iterable<string>): void {
    for (const instance of instances) this.#byInstance.delete(instance);
  }
}
