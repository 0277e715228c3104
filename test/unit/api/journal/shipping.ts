import { onTestFinished, vi } from 'vitest';
import { createJournalShipper } from '../../../../api/journal/journal-shipper.ts';
import type { JournalShipperDeps } from '../../../../api/journal/journal-shipper.ts';
import type { FakeStore } from './fake-store.ts';
import { fakeLog } from './support.ts';

export const BOUNDS = { bytesMax: 1e9, ageMaxMs: 72 * 3_600_000 };

export function ship(dir: string, store: FakeStore, over: Partial<JournalShipperDeps> = {}) {
  const log = fakeLog();
  const shipper = createJournalShipper({ dir, store, bounds: BOUNDS, log, watchEveryMs: 20, ...over });
  onTestFinished(() => shipper.close(100));
  return { shipper, log };
}

export const soon = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 10 });
/** Ships whatever is there, once. */
export async function shipAll(dir: string, store: FakeStore) {
  const { shipper, log } = ship(dir, store);
  await shipper.close(5_000);
  return { status: shipper.status(), log };
}
