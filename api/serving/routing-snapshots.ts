import type { RoutingStore } from '../../db/ports.ts';
import type { RoutingTable } from '../../domain/routing.ts';
import type { RoutedModel } from '../../domain/serving-policy.ts';
import { ModelRouting } from './model-routing.ts';
import type { AdoptedRouting } from './model-routing.ts';
import type { ServingLog } from './ports.ts';
import type { RoutingFile } from './routing-file.ts';
import type { VersionAddress, VersionCache } from './version-cache.ts';

/** The notification is the fast way; the poll is for those that got lost, so a change is seen within this time. */
const POLL_EVERY_MS = 1_000;
/** A database that does not answer at all must not keep a start from serving by the saved routing. */
const FIRST_READ_LIMIT_MS = 5_000;

export interface RoutingSnapshotsDeps {
  readonly routing: Pick<RoutingStore, 'all' | 'listen'>;
  readonly cache: VersionCache;
  readonly file: RoutingFile;
  readonly log: ServingLog;
  readonly onAdopted: (tables: readonly RoutingTable[]) => void;
}

/** Keeps every model's routing in memory, so that a prediction never asks the database. */
export class RoutingSnapshots {
  readonly #deps: RoutingSnapshotsDeps;
  readonly #models = new Map<string, ModelRouting>();
  readonly #adopted = new Map<string, AdoptedRouting>();
  readonly #savedAddresses = new Map<string, VersionAddress>();
  #readOnce = false;
  #outage: string | null = null;
  #refreshing: Promise<void> | null = null;
  #again = false;
  #poll: NodeJS.Timeout | undefined;
  #stopListening: (() => Promise<void>) | null = null;
  #closed = false;

  constructor(deps: RoutingSnapshotsDeps) {
    this.#deps = deps;
  }

  /** Reads the routing, or the saved one when the database is away, and loads what it names. Never rejects. */
  async start(): Promise<void> {
    await Promise.race([this.#refresh(), pause(FIRST_READ_LIMIT_MS)]);
    if (!this.#readOnce) await this.#adoptSaved();
    await this.#adoptAll();
    if (this.#closed) return;
    this.#poll = setInterval(() => void this.#refresh(), POLL_EVERY_MS);
    // Not awaited: it may wait for a database that is away. The poll sees what it misses.
    void this.#listen();
  }

  find(model: string): AdoptedRouting | undefined {
    return this.#adopted.get(model);
  }

  /** The routing where there is one model and no other is known. */
  only(): AdoptedRouting | undefined {
    if (this.#models.size !== 1) return undefined;
    for (const routing of this.#adopted.values()) return routing;
    return undefined;
  }

  all(): readonly AdoptedRouting[] {
    return [...this.#adopted.values()];
  }

  /** Models with a routing, loaded or not. */
  known(): readonly string[] {
    return [...this.#models.keys()];
  }

  /** Why not everything is as the registry says; `ready` as long as every known model can be answered. */
  status(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const models = [...this.#models.values()];
    const reasons = models.flatMap((model) => model.trouble ?? []);
    if (this.#outage !== null) reasons.unshift(`the routing cannot be read: ${this.#outage}`);
    else if (!this.#readOnce) reasons.unshift('the routing has not been read yet');
    const everyModelServed = models.every((model) => model.adopted !== null);
    return { ready: (this.#readOnce || models.length > 0) && everyModelServed, reasons };
  }

  /** Adopts nothing any more. The versions stay loaded. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    for (const model of this.#models.values()) model.close();
    await this.#stopListening?.();
    await this.#deps.file.settled();
  }

  async #listen(): Promise<void> {
    try {
      const stop = await this.#deps.routing.listen(() => void this.#refresh());
      if (this.#closed) await stop();
      else this.#stopListening = stop;
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'no notifications of routing changes; polling alone');
    }
  }

  /** Reads the tables; a call during a read makes it read once more. Never rejects. */
  #refresh(): Promise<void> {
    this.#again = true;
    this.#refreshing ??= this.#readWhileAsked().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #readWhileAsked(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      await this.#readTables();
      // Also without a new table: a load that failed may be due again.
      void this.#adoptAll();
    }
  }

  async #readTables(): Promise<void> {
    const { routing, log } = this.#deps;
    try {
      this.#want(await routing.all());
      this.#readOnce = true;
      if (this.#outage !== null) log.info({}, 'the routing can be read again');
      this.#outage = null;
    } catch (error) {
      if (this.#outage === null) log.warn({ err: error }, 'the routing cannot be read; the one in force stays');
      this.#outage = error instanceof Error ? error.message : String(error);
    }
  }

  #want(tables: readonly RoutedModel[]): void {
    for (const table of tables) {
      const known = this.#models.get(table.model);
      if (known === undefined) this.#models.set(table.model, this.#create(table));
      else known.want(table);
    }
  }

  #create(table: RoutedModel): ModelRouting {
    const { cache, log } = this.#deps;
    return new ModelRouting(table, {
      cache,
      log,
      addressOf: (model, version) => this.#savedAddresses.get(`${model}/${version}`),
      onAdopted: (adopted) => this.#takeOver(adopted),
    });
  }

  async #adoptAll(): Promise<void> {
    await Promise.all([...this.#models.values()].map((model) => model.adopt()));
  }

  async #adoptSaved(): Promise<void> {
    const { file, log } = this.#deps;
    const saved = await file.read();
    if (saved === null) return;
    for (const address of saved.addresses) this.#savedAddresses.set(`${address.model}/${address.version}`, address);
    log.warn({ models: saved.tables.length }, 'the registry is away: serving by the routing saved at the last run');
    this.#want(saved.tables);
  }

  #takeOver(routing: AdoptedRouting): void {
    this.#adopted.set(routing.table.model, routing);
    const all = this.all();
    const tables = all.map((adopted) => adopted.table);
    this.#deps.onAdopted(tables);
    const addresses = all.flatMap((adopted) =>
      [...adopted.versions.values()].map(({ model, version, manifestDigest }) => ({ model, version, manifestDigest })),
    );
    this.#deps.file.save({ tables, addresses });
  }
}

/** Does not hold the process. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
