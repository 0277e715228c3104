import { NO_SERVING_POLICY } from '../../domain/serving-policy.ts';
import type { Route } from '../../domain/routing.ts';
import type { RoutedModel } from '../../domain/serving-policy.ts';
import type { CachedVersion, VersionAddress, VersionCache } from './version-cache.ts';
import type { ServingLog } from './ports.ts';

/** Wait after the n-th failure in a row to load a generation: doubles from the first to the last. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** A table in force with every version it names, loaded. */
export interface AdoptedRouting {
  readonly table: RoutedModel;
  /** Also the version before, where the policy falls back to it. */
  readonly versions: ReadonlyMap<number, CachedVersion>;
  /** Asked after the answers, for nobody. */
  readonly shadow: Route | null;
}

export interface ModelRoutingDeps {
  readonly cache: VersionCache;
  readonly log: ServingLog;
  /** An address known from an earlier run spares the registry. */
  readonly addressOf: (model: string, version: number) => VersionAddress | undefined;
  readonly onAdopted: (adopted: AdoptedRouting) => void;
}

interface Failure {
  readonly generation: number;
  readonly attempts: number;
  readonly message: string;
  readonly retryAtMs: number;
}

/** The routing of one model: loads what a new table names, then adopts it, then lets go of the old. */
export class ModelRouting {
  readonly #deps: ModelRoutingDeps;
  #wanted: RoutedModel;
  #adopted: AdoptedRouting | null = null;
  #failure: Failure | null = null;
  #adopting: Promise<void> | null = null;
  #closed = false;

  constructor(first: RoutedModel, deps: ModelRoutingDeps) {
    this.#wanted = first;
    this.#deps = deps;
  }

  get adopted(): AdoptedRouting | null {
    return this.#adopted;
  }

  /** What is not as the newest table says, in words; `null` when all is. */
  get trouble(): string | null {
    const { model, generation } = this.#wanted;
    if (this.#adopted !== null && this.#adopted.table.generation >= generation) return null;
    const failure = this.#failure;
    const what = `${model}: generation ${generation} of the routing`;
    if (failure?.generation !== generation) return `${what} is being loaded`;
    const seconds = Math.max(0, Math.ceil((failure.retryAtMs - performance.now()) / 1000));
    return `${what} could not be loaded: ${failure.message}; next try in ${seconds} s`;
  }

  /** Takes a table as read. An older one than known is ignored: the generation never goes back. */
  want(table: RoutedModel): void {
    const { generation, policy } = this.#wanted;
    const hasNewPolicy = table.generation === generation && !isSame(table.policy, policy);
    if (table.generation > generation || hasNewPolicy) this.#wanted = table;
  }

  /** Works towards the newest table; resolves when it is adopted or its loading has failed. Never rejects. */
  adopt(): Promise<void> {
    this.#adopting ??= this.#adoptNewest().finally(() => {
      this.#adopting = null;
    });
    return this.#adopting;
  }

  /** Adopts nothing any more. */
  close(): void {
    this.#closed = true;
  }

  async #adoptNewest(): Promise<void> {
    // A newer table may be read while this one loads.
    while (this.#isDue()) {
      const table = this.#wanted;
      try {
        const versions = await this.#load(table);
        // Closing has released the versions.
        if (this.#closed) return;
        const shadow = table.routes.find((route) => route.variant === 'shadow') ?? null;
        this.#takeOver({ table, versions, shadow });
      } catch (error) {
        this.#noteFailure(table, error);
      }
    }
  }

  #isDue(): boolean {
    const { generation } = this.#wanted;
    if (this.#closed || this.#adopted?.table === this.#wanted) return false;
    return this.#failure?.generation !== generation || performance.now() >= this.#failure.retryAtMs;
  }

  /** One version after the other: opening a session holds the event loop, and predictions go on meanwhile. */
  async #load(table: RoutedModel): Promise<ReadonlyMap<number, CachedVersion>> {
    const { cache, addressOf } = this.#deps;
    const versions = new Map<number, CachedVersion>();
    for (const { version, variant } of table.routes) {
      if (versions.has(version) || variant === 'shadow') continue;
      versions.set(version, await cache.acquire(table.model, version, addressOf(table.model, version)));
    }
    await this.#loadFallback(table, versions);
    for (const { version, variant } of table.routes) {
      if (variant === 'shadow')
        await this.#loadUnneeded(table.model, version, versions, 'the shadow could not be loaded');
    }
    return versions;
  }

  async #loadFallback({ model, policy = NO_SERVING_POLICY }: RoutedModel, versions: Map<number, CachedVersion>) {
    const { previous, fallback } = policy;
    if (fallback.kind !== 'previous' || previous === null) return;
    await this.#loadUnneeded(model, previous, versions, 'the version to fall back to could not be loaded');
  }

  /** A version that no answer needs now must not keep the others from answering. */
  async #loadUnneeded(model: string, version: number, versions: Map<number, CachedVersion>, trouble: string) {
    if (versions.has(version)) return;
    const { cache, addressOf, log } = this.#deps;
    try {
      versions.set(version, await cache.acquire(model, version, addressOf(model, version)));
    } catch (error) {
      log.warn({ err: error, model, version }, trouble);
    }
  }

  #takeOver(adopted: AdoptedRouting): void {
    const { log, cache, onAdopted } = this.#deps;
    const { model, generation, routes } = adopted.table;
    this.#adopted = adopted;
    this.#failure = null;
    log.info({ model, generation, routes }, 'routing adopted');
    onAdopted(adopted);
    cache.keepOnly(model, new Set(adopted.versions.keys())).catch((error: unknown) => {
      log.error({ err: error, model }, 'an old version could not be released');
    });
  }

  #noteFailure(table: RoutedModel, error: unknown): void {
    const attempts = this.#failure?.generation === table.generation ? this.#failure.attempts + 1 : 1;
    const waitMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (attempts - 1));
    const message = error instanceof Error ? error.message : String(error);
    this.#failure = { generation: table.generation, attempts, message, retryAtMs: performance.now() + waitMs };
    const details = { err: error, model: table.model, generation: table.generation, attempts, retryInMs: waitMs };
    this.#deps.log.error(details, 'a routing could not be adopted; the one in force stays');
  }
}

function isSame(a: RoutedModel['policy'], b: RoutedModel['policy']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
