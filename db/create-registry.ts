import { createAuditStore } from './audit-store.ts';
import { createWebhookStore } from './webhook-store.ts';
import { createOutcomeStore } from './outcome-store.ts';
import { createLookStore } from './look-store.ts';
import { createLedgerStore } from './ledger-store.ts';
import { createInstanceStore } from './instance-store.ts';
import { createControlStore } from './control-store.ts';
import { createDatabase, type ConnectOptions } from './connect.ts';
import { createIdempotencyStore } from './idempotency-store.ts';
import type { IdempotencyStore } from './idempotency-store.ts';
import { createJournalStore } from './journal-store.ts';
import { createKeyStore } from './key-store.ts';
import { createModelStore } from './model-store.ts';
import type { Registry } from './ports.ts';
import { createRecordStore } from './record-store.ts';
import { createRecoveryStore, type RecoveryStore } from './recovery-store.ts';
import { createRegionStore, type RegionStore } from './region-store.ts';
import { createRolloutStore } from './rollout-store.ts';
import { createRoutingStore } from './routing-store.ts';
import { createVersionStore } from './version-store.ts';

export interface RegistryOptions extends ConnectOptions {
  /** Epoch ms; the clock that the daily partitions follow. */
  readonly nowMs?: () => number;
}

export interface OpenRegistry {
  readonly registry: Registry;
  /** For the API alone. */
  readonly idempotency: IdempotencyStore;
  /** What the regions agreed on, as this database knows it. */
  readonly region: RegionStore;
  /** Drills that were made, and in which life the platform is. */
  readonly recovery: RecoveryStore;
  /** Ends the connections and the listening; statements under way get 5 s. */
  close(): Promise<void>;
}

/** The registry on Postgres. Connects at the first use; the schema must be there (see `migrate`). */
export function createRegistry(databaseUrl: string, options: RegistryOptions = {}): OpenRegistry {
  const database = createDatabase(databaseUrl, options);
  const registry: Registry = {
    models: createModelStore(database),
    versions: createVersionStore(database),
    routing: createRoutingStore(database),
    rollouts: createRolloutStore(database),
    records: createRecordStore(database, options.nowMs ?? Date.now),
    journal: createJournalStore(database),
    keys: createKeyStore(database),
    audit: createAuditStore(database),
    ledger: createLedgerStore(database),
    looks: createLookStore(database),
    instances: createInstanceStore(database),
    outcomes: createOutcomeStore(database),
    controls: createControlStore(database),
    webhooks: createWebhookStore(database),
  };
  return {
    registry,
    idempotency: createIdempotencyStore(database),
    region: createRegionStore(database),
    recovery: createRecoveryStore(database),
    close: () => database.close(),
  };
}
