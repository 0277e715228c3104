import { and, desc, eq, isNull, ne, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import { nextGeneration, settleRollout, type SettledRollout } from '../domain/recovery/settle-rollout.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Drizzle } from './connect.ts';
import { recordGeneration } from './ledger-store.ts';
import { platformEpoch, recoveryDrills, type DrillOutcome, type EpochState } from './recovery-schema.ts';
import { modelAliases, rollouts, routing } from './schema.ts';

/** Rows one list may return, whatever the caller asks. */
const LIST_MAX = 1_000;

export interface Epoch {
  readonly epoch: number;
  readonly state: EpochState;
  readonly reason: string;
  readonly since: Date;
}

export interface DrillRow {
  readonly id: string;
  readonly target: string;
  readonly setId: string | null;
  readonly outcome: DrillOutcome;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly restoreMs: number | null;
  readonly lossMs: number | null;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface NewEpoch {
  readonly epoch: number;
  readonly rollouts: readonly SettledRollout[];
  /** Models whose routing got a new generation. */
  readonly models: readonly string[];
}

/** What recovery keeps in the database. All methods may reject with `DomainError('unavailable')`. */
export interface RecoveryStore {
  epoch(): Promise<Epoch>;
  /**
   * Refuses every control write from now on, after the last one under way has ended.
   * @throws DomainError `conflict` when the database is in another epoch
   */
  fence(epoch: number, by: string, reason: string): Promise<void>;
  /** Control writes are taken again in the same epoch: the restore behind the fence did not happen. */
  liftFence(epoch: number, by: string, reason: string): Promise<void>;
  /**
   * Begins a life of the platform: a higher epoch than `above` and the database's own, open rollouts settled, every
   * routing at a generation that nobody of an older epoch can name. One transaction; the same `changeId` again changes
   * nothing and returns what it did.
   */
  beginEpoch(begin: {
    readonly above: number;
    readonly by: string;
    readonly reason: string;
    readonly changeId: string;
  }): Promise<NewEpoch>;
  startDrill(drill: Pick<DrillRow, 'id' | 'target'>): Promise<void>;
  /** Also of one that somebody took for killed: what it found out stands. */
  finishDrill(drill: Omit<DrillRow, 'startedAt' | 'finishedAt' | 'target'>): Promise<void>;
  /** Marks drills as killed that say they run, apart from the one named. */
  sweepDrills(runningId: string | null): Promise<number>;
  /** Newest first. */
  drills(limit: number): Promise<readonly DrillRow[]>;
}

export function createRecoveryStore(database: Database): RecoveryStore {
  return {
    epoch: () => database.run((db) => readEpoch(db)),
    fence: (epoch, by, reason) =>
      database.transact(async (tx) => {
        const found = await readEpoch(tx, true);
        if (found.epoch !== epoch)
          throw new DomainError('conflict', `The platform is in epoch ${found.epoch}, not in ${epoch}`);
        await tx.update(platformEpoch).set({ state: 'fenced', reason, changedBy: by, since: sql`now()` });
        await writeAudit(tx, { actor: by, action: 'epoch.fence', subject: 'platform', reason, details: { epoch } });
      }),
    liftFence: (epoch, by, reason) =>
      database.transact(async (tx) => {
        const found = await readEpoch(tx, true);
        // A newer epoch has no fence of ours.
        if (found.epoch !== epoch || found.state === 'active') return;
        await tx.update(platformEpoch).set({ state: 'active', reason, changedBy: by, since: sql`now()` });
        await writeAudit(tx, { actor: by, action: 'epoch.lift', subject: 'platform', reason, details: { epoch } });
      }),
    beginEpoch: (begin) => database.transact((tx) => beginEpoch(tx, begin)),
    startDrill: ({ id, target }) =>
      database.run(async (db) => {
        await db.insert(recoveryDrills).values({ id, target, outcome: 'running', details: {} }).onConflictDoNothing();
      }),
    finishDrill: ({ id, ...result }) =>
      database.run(async (db) => {
        await db
          .update(recoveryDrills)
          .set({ ...result, finishedAt: sql`now()` })
          .where(eq(recoveryDrills.id, id));
      }),
    sweepDrills: (runningId) =>
      database.run(async (db) => {
        const swept = await db
          .update(recoveryDrills)
          .set({ outcome: 'killed', finishedAt: sql`now()` })
          .where(
            and(
              eq(recoveryDrills.outcome, 'running'),
              runningId === null ? undefined : ne(recoveryDrills.id, runningId),
            ),
          )
          .returning({ id: recoveryDrills.id });
        return swept.length;
      }),
    drills: (limit) =>
      database.run((db) =>
        db.select().from(recoveryDrills).orderBy(desc(recoveryDrills.startedAt)).limit(Math.min(limit, LIST_MAX)),
      ),
  };
}

async function readEpoch(db: Drizzle, lock = false): Promise<Epoch> {
  const query = db.select().from(platformEpoch).where(eq(platformEpoch.id, 1));
  const [row] = await (lock ? query.for('update') : query);
  if (row === undefined) throw new DomainError('internal', 'The database does not know its epoch');
  const { epoch, state, reason, since } = row;
  return { epoch, state, reason, since };
}

async function beginEpoch(tx: Drizzle, begin: Parameters<RecoveryStore['beginEpoch']>[0]): Promise<NewEpoch> {
  const { by, reason } = begin;
  const changeId = `epoch/${begin.changeId}`;
  // For this transaction: a region settles what it took over before it holds the lease.
  await tx.execute(sql`select set_config('sluice.begins_epoch', 'on', true)`);
  const current = await readEpoch(tx, true);
  const earlier = await tx.execute(sql`select details from audit_log where change_id = ${changeId}`);
  const before = earlier.rows[0]?.['details'] as NewEpoch | undefined;
  if (before !== undefined) return before;
  const epoch = Math.max(current.epoch, begin.above) + 1;
  // Active first: the fence would refuse the settling itself.
  const state = { epoch, state: 'active' as const, reason, changedBy: by };
  await tx.update(platformEpoch).set({ ...state, since: sql`now()` });
  const settled = await settleAll(tx);
  const models = await raiseGenerations(tx, epoch, settled, { by, reason });
  const result = { epoch, rollouts: settled, models };
  await writeAudit(tx, { actor: by, action: 'epoch.begin', subject: 'platform', reason, details: result, changeId });
  return result;
}

async function settleAll(tx: Drizzle): Promise<readonly SettledRollout[]> {
  const open = await tx
    .select({
      rolloutId: rollouts.id,
      model: rollouts.model,
      candidate: rollouts.candidate,
      champion: rollouts.champion,
      phase: rollouts.phase,
      championAlias: modelAliases.version,
    })
    .from(rollouts)
    .leftJoin(modelAliases, and(eq(modelAliases.model, rollouts.model), eq(modelAliases.alias, 'champion')))
    .where(isNull(rollouts.finishedAt))
    .limit(LIST_MAX);
  const settled = open.map(settleRollout);
  for (const { rolloutId, model, outcome, reason } of settled) {
    const phase = sql`jsonb_set(${rollouts.snapshot}, '{phase}', to_jsonb(${outcome}::text))`;
    await tx
      .update(rollouts)
      .set({ phase: outcome, snapshot: phase, reason, finishedAt: sql`now()` })
      .where(eq(rollouts.id, rolloutId));
    await tx.delete(modelAliases).where(and(eq(modelAliases.model, model), eq(modelAliases.alias, 'candidate')));
  }
  return settled;
}

async function raiseGenerations(
  tx: Drizzle,
  epoch: number,
  settled: readonly SettledRollout[],
  why: { by: string; reason: string },
): Promise<readonly string[]> {
  const tables = await tx.select().from(routing).for('update').limit(LIST_MAX);
  for (const table of tables) {
    const routes = settled.find((s) => s.model === table.model)?.routes ?? table.routes;
    const generation = nextGeneration(table.generation, epoch);
    const values = { generation, routes, rolloutId: null, changeId: `epoch/${epoch}` };
    await tx
      .update(routing)
      .set({ ...values, updatedAt: sql`now()` })
      .where(eq(routing.model, table.model));
    await recordGeneration(tx, { table: { ...table, ...values }, ...why, evidence: null });
    await tx.execute(sql`select pg_notify('sluice_routing', ${table.model})`);
  }
  return tables.map((t) => t.model);
}
