import type { JournalMove, JournalStore } from '../../../../db/ports.ts';
import { DomainError } from '../../../../domain/errors.ts';

/** The database's part in memory: all or nothing, ids once, compare-and-set on the positions. */
export class FakeStore implements JournalStore {
  readonly stored: string[] = [];
  readonly batches: number[] = [];
  readonly reached = new Map<string, number>();
  /** What the next calls meet; called for the lines of each. */
  refuse: (ids: readonly string[]) => DomainError | null = () => null;
  away = false;
  /** Stores, and says that it could not: the answer was lost on its way. */
  losesAnswers = 0;

  positions(instances: readonly string[]) {
    this.#check();
    const rows = [...this.reached].map(([key, bytes]) => {
      const [instance = '', segment = ''] = key.split('/');
      return { instance, segment: Number(segment), bytes };
    });
    return Promise.resolve(rows.filter((row) => instances.includes(row.instance)));
  }

  async ship(lines: readonly string[], moves: readonly JournalMove[]): Promise<'shipped' | 'overtaken'> {
    await Promise.resolve();
    this.#check();
    const ids = lines.map((line) => (JSON.parse(line) as { request_id: string }).request_id);
    const refusal = this.refuse(ids);
    if (refusal !== null) throw refusal;
    const key = (m: JournalMove) => `${m.instance}/${m.segment}`;
    if (moves.some((m) => (this.reached.get(key(m)) ?? m.sinceBytes) !== m.sinceBytes)) return 'overtaken';
    for (const move of moves) this.reached.set(key(move), move.untilBytes);
    this.batches.push(ids.length);
    for (const id of ids) if (!this.stored.includes(id)) this.stored.push(id);
    if (this.losesAnswers > 0) {
      this.losesAnswers -= 1;
      throw new DomainError('unavailable', 'no answer');
    }
    return 'shipped';
  }

  forget(segments: readonly { readonly instance: string; readonly segment: number }[]): Promise<void> {
    this.#check();
    for (const { instance, segment } of segments) this.reached.delete(`${instance}/${segment}`);
    return Promise.resolve();
  }

  #check(): void {
    if (this.away) throw new DomainError('unavailable', 'away');
  }
}
