import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFolderArtefactStore } from '../adapters/folder-artefact-store.ts';
import type { Logger } from '../adapters/logger.ts';
import { createWalShipper, type WalStatus } from '../recovery/postgres/ship-wal.ts';
import { copyArtefacts } from '../recovery/vault/copy-artefacts.ts';
import type { VaultTarget } from '../recovery/vault/vault-target.ts';

/** An artefact is in the target before the next set, soon after the row that names it. */
const ARTEFACTS_EVERY_MS = 5_000;
const STATUS_EVERY_MS = 2_000;
const DIGEST = /^[0-9a-f]{64}$/;

export interface ShippedTarget {
  /** As configured; becomes part of the slot's name. */
  readonly name: string;
  readonly target: VaultTarget;
}

export interface ShipOptions {
  readonly databaseUrl: string;
  readonly targets: readonly ShippedTarget[];
  readonly recipients: readonly string[];
  readonly home: string;
  readonly artefactDir: string;
  readonly log: Logger;
}

/** What the other processes of this machine read: `<home>/run/wal-status.json`. */
export interface ShippingStatus {
  /** ISO 8601; older than a few seconds: nobody ships. */
  readonly at: string;
  readonly targets: readonly (WalStatus & { readonly target: string; readonly address: string })[];
}

/**
 * Carries the write-ahead log, second by second, and every new artefact into each target, each on its own: one that
 * is away holds up nobody. Returns what stops it.
 */
export function shipContinuously(options: ShipOptions): () => Promise<void> {
  const halt = new AbortController();
  const { signal } = halt;
  const shippers = options.targets.map(({ name, target }) => ({
    name,
    target,
    shipper: createWalShipper({
      databaseUrl: options.databaseUrl,
      slot: `sluice_${name.replaceAll(/[^a-z0-9]/g, '_')}`,
      openStore: (systemId) => target.wal(systemId),
      log: options.log,
    }),
  }));
  const write = (): void => {
    const targets = shippers.map(({ name, target, shipper }) => ({
      ...shipper.status(),
      target: name,
      address: target.address,
    }));
    writeStatus(options.home, { at: new Date().toISOString(), targets });
  };
  const timer = setInterval(write, STATUS_EVERY_MS);
  timer.unref();
  const running = [
    ...shippers.map(({ shipper }) => shipper.run(signal)),
    ...options.targets.map((target) => shipArtefacts(options, target, signal)),
  ];
  return async () => {
    halt.abort();
    clearInterval(timer);
    await Promise.allSettled(running);
  };
}

function writeStatus(home: string, status: ShippingStatus): void {
  const file = join(home, 'run', 'wal-status.json');
  try {
    mkdirSync(join(home, 'run'), { recursive: true });
    writeFileSync(`${file}.draft`, JSON.stringify(status));
    renameSync(`${file}.draft`, file);
  } catch {
    // A full disk has its own alarms; the age of the file is one of them.
  }
}

async function shipArtefacts(
  { artefactDir, recipients, log }: ShipOptions,
  { name, target }: ShippedTarget,
  signal: AbortSignal,
): Promise<void> {
  const artefacts = createFolderArtefactStore(artefactDir);
  const copied = new Set<string>();
  while (!signal.aborted) {
    try {
      const digests = (await digestsIn(artefactDir)).filter((digest) => !copied.has(digest));
      if (digests.length > 0) await copyArtefacts({ store: target.store, artefacts, digests, recipients, signal });
      for (const digest of digests) copied.add(digest);
    } catch (error) {
      if (!isAborted(signal)) log.warn({ err: error, target: name }, 'artefacts were not copied, trying again');
    }
    await sleep(ARTEFACTS_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

const isAborted = (signal: AbortSignal): boolean => signal.aborted;

async function digestsIn(dir: string): Promise<readonly string[]> {
  const folders = (await readdir(dir).catch(() => [])).filter((name) => /^[0-9a-f]{2}$/.test(name));
  const names = await Promise.all(folders.map((folder) => readdir(join(dir, folder)).catch(() => [])));
  return names.flat().filter((name) => DIGEST.test(name));
}
