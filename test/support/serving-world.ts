/** The world around the serving path, in memory: registry, artefacts, records; each part can be made to fail or wait. */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServing } from '../../api/serving/create-serving.ts';
import type { RunningServing, ServingDeps } from '../../api/serving/create-serving.ts';
import type { CountsRow, VersionRow } from '../../db/ports.ts';
import type { ShadowCountsRow } from '../../db/rollout-ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { PredictionRecord } from '../../domain/records.ts';
import type { Route } from '../../domain/routing.ts';
import type { RoutedModel } from '../../domain/serving-policy.ts';
import type { TinyModel } from './tiny-model.ts';

const away = () => new DomainError('unavailable', 'the database is away');
const tick = () => new Promise((resolve) => setImmediate(resolve));

export class ServingWorld {
  readonly tables = new Map<string, RoutedModel>();
  readonly versions = new Map<string, { manifestDigest: string }>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly saved: PredictionRecord[] = [];
  readonly counts: CountsRow[] = [];
  readonly pairs: ShadowCountsRow[] = [];
  readonly observed: { version: number; variant: string; status: string }[] = [];
  readonly batches: number[] = [];
  readonly logged: string[] = [];
  readonly home: string;
  databaseAway = false;
  /** Set: reading an artefact waits for it. */
  artefactGate: Promise<void> | null = null;
  reads = 0;
  #listeners = new Set<() => void>();
  #running = new Set<RunningServing>();

  private constructor(home: string) {
    this.home = home;
  }

  static async create(): Promise<ServingWorld> {
    return new ServingWorld(await mkdtemp(join(tmpdir(), 'sluice-serving-')));
  }

  addVersion(model: string, version: number, { onnx, manifest }: TinyModel): void {
    const manifestDigest = this.#put(new TextEncoder().encode(JSON.stringify(manifest)));
    this.#put(onnx);
    this.versions.set(`${model}/${version}`, { manifestDigest });
  }

  /** Writes a table with the next generation (or the one given) and notifies. */
  route(model: string, routes: readonly Route[], extra: Partial<RoutedModel> = {}): RoutedModel {
    const generation = (this.tables.get(model)?.generation ?? 0) + 1;
    const table = { model, generation, salt: 's', rolloutId: null, routes, slowMs: 1000, ...extra };
    this.tables.set(model, table);
    for (const notify of this.#listeners) notify();
    return table;
  }

  notify(): void {
    for (const listener of this.#listeners) listener();
  }

  serving(extra: Partial<ServingDeps> = {}): RunningServing {
    const serving = createServing({ ...this.deps(), ...extra });
    this.#running.add(serving);
    return serving;
  }

  async started(extra: Partial<ServingDeps> = {}): Promise<RunningServing> {
    const serving = this.serving(extra);
    await serving.start();
    return serving;
  }

  deps(): ServingDeps {
    const note = (_: object, message: string) => this.logged.push(message);
    return {
      home: this.home,
      routing: {
        all: () => this.#answer(() => [...this.tables.values()]),
        listen: (onChange) => {
          this.#listeners.add(onChange);
          return Promise.resolve(() => {
            this.#listeners.delete(onChange);
            return Promise.resolve();
          });
        },
      },
      versions: {
        find: (model, version) =>
          this.#answer(() => (this.versions.get(`${model}/${version}`) ?? null) as VersionRow | null),
      },
      artefacts: {
        read: async (digest) => {
          this.reads += 1;
          await (this.artefactGate ?? tick());
          const bytes = this.blobs.get(digest);
          if (bytes === undefined) throw new DomainError('artefactCorrupt', `there is no blob ${digest}`);
          return bytes;
        },
      },
      records: {
        savePredictions: (records) => this.#answer(() => void this.saved.push(...records)),
        saveCounts: (rows) => this.#answer(() => void this.counts.push(...rows)),
        saveShadowCounts: (rows) => this.#answer(() => void this.pairs.push(...rows)),
      },
      metrics: {
        observe: (_, version, variant, status) => this.observed.push({ version, variant, status }),
        batchSize: (rows) => this.batches.push(rows),
      },
      log: { info: note, warn: note, error: note },
    };
  }

  async destroy(): Promise<void> {
    this.databaseAway = false;
    await Promise.all([...this.#running].map((serving) => serving.close()));
    await rm(this.home, { recursive: true, force: true });
  }

  async #answer<T>(value: () => T): Promise<T> {
    await tick();
    if (this.databaseAway) throw away();
    return value();
  }

  #put(bytes: Uint8Array): string {
    const digest = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(digest, bytes);
    return digest;
  }
}
