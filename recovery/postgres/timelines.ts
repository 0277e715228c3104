import { parseLsn, type Lsn } from './lsn.ts';

/** A timeline that another one grew out of, and the position at which it did. */
export interface Ancestor {
  readonly timeline: number;
  readonly switchLsn: Lsn;
}

/** Reads a timeline's history file: its ancestors, oldest first. Lines: number, position, reason; `#` begins a comment. */
export function parseHistory(text: string): readonly Ancestor[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [timeline, lsn] = line.split(/\s+/);
      return { timeline: Number(timeline), switchLsn: parseLsn(lsn ?? '') };
    });
}
