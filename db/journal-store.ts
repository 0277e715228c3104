import { inArray, lt, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import type { Database, Drizzle } from './connect.ts';
import type { JournalMove, JournalStore } from './ports.ts';
import { journalPositions } from './schema.ts';
import { storable } from './storable-text.ts';
import { isUuid } from './uuid.ts';

/** Positions of segments that were removed while the database was away stay behind; nobody needs them after this. */
const FORGET_AFTER_DAYS = 30;
/** An escape of NUL or of half a surrogate pair: no column takes them. May also match text that only looks like one. */
const NOT_STORABLE = /\\u(0000|[dD][89a-fA-F])/;

export function createJournalStore(database: Database): JournalStore {
  return {
    positions: (instances) => positions(database, instances),
    ship: (lines, moves) => ship(database, lines, moves),
    forget: (segments) => forget(database, segments),
  };
}

async function positions(database: Database, instances: readonly string[]) {
  const known = instances.filter(isUuid);
  if (known.length === 0) return [];
  return database.run((db) =>
    db
      .select({
        instance: journalPositions.instance,
        segment: journalPositions.segment,
        bytes: journalPositions.shippedBytes,
      })
      .from(journalPositions)
      .where(inArray(journalPositions.instance, known)),
  );
}

function ship(
  database: Database,
  lines: readonly string[],
  moves: readonly JournalMove[],
): Promise<'shipped' | 'overtaken'> {
  return database
    .transact(async (tx) => {
      if (moves.length > 0 && (await move(tx, moves)) !== moves.length) throw new Overtaken();
      if (lines.length > 0) await insert(tx, lines);
      return 'shipped' as const;
    })
    .catch((error: unknown) => {
      if (error instanceof Overtaken) return 'overtaken';
      throw error;
    });
}

class Overtaken extends DomainError {
  constructor() {
    super('conflict', 'Another process has shipped this part of the journal');
  }
}

/** Compare-and-set on each position; the row's lock makes a second shipper wait, and then see that it comes too late. */
async function move(tx: Drizzle, moves: readonly JournalMove[]): Promise<number> {
  const json = JSON.stringify(
    moves.map((m) => ({ instance: m.instance, segment: m.segment, since: m.sinceBytes, until: m.untilBytes })),
  );
  const { rows } = await tx.execute<{ moved: number }>(sql`
    with moves as (
      select * from json_to_recordset(${json}::json) as m(instance uuid, segment int, since bigint, until bigint)
    ), moved as (
      update journal_positions p set shipped_bytes = m.until, updated_at = now()
      from moves m where p.instance = m.instance and p.segment = m.segment and p.shipped_bytes = m.since
      returning 1
    ), begun as (
      insert into journal_positions (instance, segment, shipped_bytes)
      select m.instance, m.segment, m.until from moves m
      where not exists (select from journal_positions p where p.instance = m.instance and p.segment = m.segment)
      on conflict do nothing
      returning 1
    )
    select ((select count(*) from moved) + (select count(*) from begun))::int as moved`);
  return rows[0]?.moved ?? 0;
}

/** The lines go into the statement as they are: their names are the columns'. */
async function insert(tx: Drizzle, lines: readonly string[]): Promise<void> {
  const text = `[${lines.join(',')}]`;
  const json = NOT_STORABLE.test(text) ? `[${lines.map(storableLine).join(',')}]` : text;
  await tx.execute(sql`
    insert into predictions (request_id, created_at, model, version, variant, rollout_id, entity_id, features,
      probability, label, risk, latency_ms)
    select request_id, timestamptz 'epoch' + created_at_ms * interval '1 millisecond', model, version, variant,
      rollout_id, entity_id, features, probability, label, risk, latency_ms
    from json_to_recordset(${json}::json) as r(request_id uuid, created_at_ms bigint, model text, version int,
      variant text, rollout_id uuid, entity_id text, features jsonb, probability double precision, label text,
      risk text, latency_ms real)
    on conflict do nothing`);
}

function storableLine(line: string): string {
  if (!NOT_STORABLE.test(line)) return line;
  try {
    return JSON.stringify(JSON.parse(line), (_, value: unknown) => {
      if (typeof value === 'string') return storable(value);
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [storable(name), inner as unknown]));
    });
  } catch {
    // No JSON at all: the statement will say so, and the shipper puts the line aside.
    return line;
  }
}

async function forget(
  database: Database,
  segments: readonly { readonly instance: string; readonly segment: number }[],
): Promise<void> {
  const json = JSON.stringify(segments.map(({ instance, segment }) => ({ instance, segment })));
  await database.run(async (db) => {
    await db.execute(sql`
      delete from journal_positions p
      using json_to_recordset(${json}::json) as s(instance uuid, segment int)
      where p.instance = s.instance and p.segment = s.segment`);
    await db
      .delete(journalPositions)
      .where(lt(journalPositions.updatedAt, sql`now() - make_interval(days => ${FORGET_AFTER_DAYS}::int)`));
  });
}
