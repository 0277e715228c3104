import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Line } from '../../../../api/overload/line.ts';
import type { InLine } from '../../../../api/overload/line.ts';

class One implements InLine<One> {
  before: One | null = null;
  behind: One | null = null;
  readonly id: number;
  constructor(id: number) {
    this.id = id;
  }
}

function idsIn(line: Line<One>): number[] {
  const ids: number[] = [];
  for (let one = line.first; one !== null; one = one.behind) ids.push(one.id);
  return ids;
}

describe('a line', () => {
  it('keeps the order of those who come, whoever leaves', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(50), { nil: null }), { maxLength: 200 }), (steps) => {
        const line = new Line<One>();
        const expected: One[] = [];
        for (const [i, step] of steps.entries()) {
          if (step === null || expected.length === 0) {
            const one = new One(i);
            line.enter(one);
            expected.push(one);
          } else {
            const [gone] = expected.splice(step % expected.length, 1);
            if (gone !== undefined) line.leave(gone);
          }
          expect(idsIn(line)).toEqual(expected.map(({ id }) => id));
        }
      }),
    );
  });

  it('leaves nothing in those who have left: they would hold all who came later in memory', () => {
    const line = new Line<One>();
    const all = [new One(0), new One(1), new One(2)];
    for (const one of all) line.enter(one);
    for (const one of all) line.leave(one);
    for (const one of all) expect([one.before, one.behind]).toEqual([null, null]);
    expect(line.first).toBeNull();
  });
});
