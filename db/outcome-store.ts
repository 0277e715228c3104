import { sql } from 'drizzle-orm';
import { DomainError, type Problem } from '../domain/errors.ts';
import type { Database } from './connect.ts';
import type { OutcomeRow, OutcomeStore } from './rollout-ports.ts';
import { storable } from './storable-text.ts';
import { isUuid } from './uuid.ts';

export function createOutcomeStore(database: Database): OutcomeStore {
  return {
    save: async (rows) => {
      const problems = rows.flatMap(problemsOf);
      if (problems.length > 0) throw new DomainError('invalidInput', 'These outcomes cannot be stored', problems);
      if (rows.length === 0) return { matched: 0 };
      return database.transact(async (tx) => {
        // The same event twice in one call would be one row changed twice by one statement: the last one stands.
        const json = JSON.stringify([...new Map(rows.map((r) => [identity(r), stored(r)])).values()]);
        const record = sql`json_to_recordset(${json}::json) as r(model text, event text, value double precision,
          request_id uuid, entity_id text, occurred_at timestamptz)`;
        await tx.execute(sql`
          insert into outcomes (model, event, value, request_id, entity_id, occurred_at)
          select model, event, value, request_id, entity_id, occurred_at from ${record} where request_id is not null
          on conflict (request_id, event) where request_id is not null
          do update set value = excluded.value, occurred_at = excluded.occurred_at, received_at = now()`);
        await tx.execute(sql`
          insert into outcomes (model, event, value, entity_id, occurred_at)
          select model, event, value, entity_id, occurred_at from ${record} where request_id is null
          on conflict (model, entity_id, event, occurred_at) where request_id is null
          do update set value = excluded.value, received_at = now()`);
        const { rows: matched } = await tx.execute<{ n: number }>(sql`
          select count(*)::int as n from ${record}
          where exists (
            select 1 from predictions p
            where (r.request_id is not null and p.request_id = r.request_id)
              or (r.request_id is null and p.model = r.model and p.entity_id = r.entity_id))`);
        return { matched: matched[0]?.n ?? 0 };
      });
    },
  };
}

function identity({ model, event, requestId, entityId, occurredAtMs }: OutcomeRow): string {
  return JSON.stringify(requestId === null ? [model, event, entityId, occurredAtMs] : [requestId, event]);
}

function stored({ model, event, value, requestId, entityId, occurredAtMs }: OutcomeRow) {
  return {
    model,
    event: storable(event),
    value,
    request_id: requestId,
    entity_id: entityId === null ? null : storable(entityId),
    occurred_at: new Date(occurredAtMs).toISOString(),
  };
}

function problemsOf({ requestId, entityId, value }: OutcomeRow, i: number): readonly Problem[] {
  const problems: Problem[] = [];
  if (requestId === null && entityId === null) {
    problems.push({ field: `outcomes[${i}].request_id`, message: 'a request id or an entity id is needed' });
  }
  if (requestId !== null && !isUuid(requestId)) {
    problems.push({ field: `outcomes[${i}].request_id`, message: `${storable(requestId)} is not a UUID` });
  }
  if (!Number.isFinite(value)) problems.push({ field: `outcomes[${i}].value`, message: 'is not a finite number' });
  return problems;
}
