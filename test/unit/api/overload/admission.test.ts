import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAdmission } from '../../../../api/overload/admission.ts';
import type { Admission, Ticket } from '../../../../api/overload/admission.ts';

const MIB = 1024 * 1024;
let admission: Admission;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  admission = createAdmission();
});
afterEach(() => {
  admission.close();
  vi.useRealTimers();
});

const late = vi.fn();
/** Lets in and begins as many as possible of `count`. */
function begin(count: number, bytes = 200): Ticket[] {
  return Array.from({ length: count }, () => admission.arrive(bytes, late)).flatMap((ticket) =>
    ticket?.begin() === true ? [ticket] : [],
  );
}
const end = (tickets: readonly Ticket[]) => tickets.forEach((ticket) => ticket.end());
const limit = () => admission.status().limit;

/** Windows in which `offered` come at once, and those let in take `ms` together. */
function run(windows: number, offered: number, ms: (admitted: number) => number): void {
  for (let i = 0; i < windows; i += 1) {
    const tickets = begin(offered);
    const took = ms(tickets.length);
    vi.advanceTimersByTime(Math.min(100, took));
    end(tickets);
    vi.advanceTimersByTime(Math.max(0, 100 - took));
  }
}

describe('admission', () => {
  it('lets in up to the limit and refuses the rest at once, before their bodies are read', () => {
    expect(begin(600)).toHaveLength(512);
    expect(admission.arrive(200, late)).toBeNull();
    expect(admission.status()).toMatchObject({ inProgress: 512, refused: 89 });
  });

  it('lets in others when those are answered', () => {
    const tickets = begin(600);
    end(tickets);
    end(tickets);
    expect(admission.status().inProgress).toBe(0);
    expect(begin(600)).toHaveLength(512);
  });

  it('does not count who still sends: slow clients take no place from others', () => {
    const slow = Array.from({ length: 600 }, () => admission.arrive(200, late));
    expect(slow.every((ticket) => ticket !== null)).toBe(true);
    expect(begin(512)).toHaveLength(512);
    expect(slow[0]?.begin()).toBe(false);
  });

  it('bounds the bytes of bodies in memory', () => {
    const large = Array.from({ length: 40 }, () => admission.arrive(4 * MIB, late));
    expect(large.filter((ticket) => ticket !== null)).toHaveLength(32);
    large[0]?.end();
    expect(admission.arrive(4 * MIB, late)).not.toBeNull();
  });

  it('settles where requests take no longer than the target, when each costs 0.4 ms', () => {
    run(100, 1_000, (admitted) => admitted * 0.4);
    expect(limit()).toBeGreaterThanOrEqual(45);
    expect(limit()).toBeLessThanOrEqual(70);
  });

  it('grows again when the machine is faster than it was', () => {
    run(100, 1_000, (admitted) => admitted * 2);
    expect(limit()).toBe(32);
    run(60, 2_000, (admitted) => admitted * 0.01);
    expect(limit()).toBe(1_024);
  });

  it('takes one slow window for a pause of the machine', () => {
    for (let i = 0; i < 20; i += 1) {
      run(1, 100, () => 90);
      run(1, 100, () => 2);
    }
    expect(limit()).toBe(512);
  });

  it('is not moved by a load below it, slow or not', () => {
    run(50, 4, () => 90);
    expect(limit()).toBe(512);
  });

  it('forgives large bodies the time their size takes', () => {
    for (let i = 0; i < 50; i += 1) {
      const tickets = begin(16, 400 * 1024);
      vi.advanceTimersByTime(95);
      end(tickets);
      vi.advanceTimersByTime(5);
    }
    expect(limit()).toBe(512);
  });

  it('gives up what hangs, once, and frees its place', () => {
    const [stuck] = begin(1);
    vi.advanceTimersByTime(1_900);
    begin(1);
    expect(late).not.toHaveBeenCalled();
    vi.advanceTimersByTime(300);
    expect(late).toHaveBeenCalledTimes(1);
    expect(admission.status()).toMatchObject({ inProgress: 1, overdue: 1 });
    stuck?.end();
    expect(admission.status().inProgress).toBe(1);
  });
});
