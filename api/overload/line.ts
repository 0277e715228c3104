/** Stands in one line at most. */
export interface InLine<T> {
  before: T | null;
  behind: T | null;
}

/**
 * Things in the order they came, left in any order. Whoever leaves knows nobody any more: a `Set` that is filled and
 * emptied all the time leaves outgrown tables behind, each of which refers to the next one, and once one of them has
 * grown old in the garbage collector's eyes, so does everything that ever was in those that follow.
 */
export class Line<T extends InLine<T>> {
  #first: T | null = null;
  #last: T | null = null;

  get first(): T | null {
    return this.#first;
  }

  enter(one: T): void {
    const last = this.#last;
    one.before = last;
    if (last === null) this.#first = one;
    else last.behind = one;
    this.#last = one;
  }

  leave(one: T): void {
    const { before, behind } = one;
    if (before === null) this.#first = behind;
    else before.behind = behind;
    if (behind === null) this.#last = before;
    else behind.before = before;
    one.before = null;
    one.behind = null;
  }
}
