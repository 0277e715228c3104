import type { KeyRow, Registry } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import { actorOf } from '../actor.ts';
import { answer, answerJson } from '../answers.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { createKeySchema, createdKeySchema, keyListSchema, keyParams } from '../schemas/keys.ts';
import { createApiKey } from '../security/api-key-format.ts';
import type { KeyDirectory } from '../security/key-directory.ts';

export interface KeyDeps {
  readonly registry: Pick<Registry, 'keys'>;
  readonly keys: Pick<KeyDirectory, 'refresh'>;
  readonly now: () => number;
  readonly log: Log;
}

const describeKey = (row: KeyRow) => ({
  id: row.id,
  name: row.name,
  prefix: row.prefix,
  permissions: row.permissions,
  tier: row.tier,
  roles: row.roles,
  created_at: row.createdAt.toISOString(),
  expires_at: row.expiresAt?.toISOString() ?? null,
  revoked_at: row.revokedAt?.toISOString() ?? null,
});

function expiry(text: string | null | undefined, nowMs: number): Date | null {
  if (text === undefined || text === null) return null;
  const at = new Date(text);
  if (at.getTime() > nowMs) return at;
  throw new DomainError('invalidInput', 'The key would never be valid', [
    { field: 'expires_at', message: 'lies in the past' },
  ]);
}

/** `POST /keys`, `GET /keys`, `DELETE /keys/{id}`. */
export function keyOperations(deps: KeyDeps): readonly Operation[] {
  return [createKey(deps), listKeys(deps), revokeKey(deps)];
}

const common = { tag: 'Keys', permission: 'admin' } as const;

/** The change is made; should the snapshot not follow now, the next poll brings it. */
async function refreshSoon({ keys, log }: KeyDeps): Promise<void> {
  await keys.refresh().catch((error: unknown) => log.warn({ err: error }, 'keys not read again after a change'));
}

function createKey(deps: KeyDeps): Operation {
  return defineOperation({
    ...common,
    id: 'createKey',
    idempotent: { subjectOf: ({ id }) => String(id) },
    method: 'post',
    path: '/keys',
    summary: 'Make an API key',
    description: 'The key is in this answer and nowhere else: the platform keeps its SHA-256 only.',
    body: {
      ...checkedBy(createKeySchema),
      description: 'What the key is for, what it may do and how much',
      example: { name: 'crm', permissions: ['predict'], tier: 'basic' },
    },
    answers: { 201: { description: 'Made', schema: createdKeySchema } },
    handle: async ({ c, body }) => {
      const permissions = [...new Set(body.permissions)];
      const made = createApiKey(body.name, permissions, expiry(body.expires_at, deps.now()), body.tier, [
        ...new Set(body.roles),
      ]);
      const row = await deps.registry.keys.create(made.row, actorOf(c));
      await refreshSoon(deps);
      const { id, name, prefix, tier, roles, expiresAt } = row;
      const expires = expiresAt?.toISOString() ?? null;
      return answerJson(c, 201, { id, name, prefix, permissions, tier, roles, expires_at: expires, key: made.key });
    },
  });
}

function listKeys({ registry }: KeyDeps): Operation {
  return defineOperation({
    ...common,
    id: 'listKeys',
    method: 'get',
    path: '/keys',
    summary: 'List the API keys',
    description: 'Names, prefixes and permissions; never a key.',
    answers: { 200: { description: 'The keys', schema: keyListSchema } },
    handle: async ({ c }) => answerJson(c, 200, { keys: (await registry.keys.list()).map(describeKey) }),
  });
}

/** Without a key that may make keys, nobody could ever come in again. */
function refuseLastAdmin(rows: readonly KeyRow[], id: string, nowMs: number): void {
  const admins = rows.filter(
    (row) =>
      row.permissions.includes('admin') &&
      row.revokedAt === null &&
      (row.expiresAt === null || row.expiresAt.getTime() > nowMs),
  );
  if (admins.length === 1 && admins[0]?.id === id) {
    throw new DomainError('refused', 'This is the only key with the permission admin: make another one first');
  }
}

function revokeKey(deps: KeyDeps): Operation {
  return defineOperation({
    ...common,
    id: 'revokeKey',
    method: 'delete',
    path: '/keys/{id}',
    summary: 'Revoke an API key',
    // A key that leaked must not go on asking for predictions.
    inAnyRegion: true,
    description: 'This process refuses the key at once, the others within two seconds. Revoking again changes nothing.',
    params: keyParams,
    refusals: ['notFound', 'refused'],
    answers: { 204: { description: 'Revoked' } },
    handle: async ({ c, params }) => {
      refuseLastAdmin(await deps.registry.keys.list(), params.id, deps.now());
      if (!(await deps.registry.keys.revoke(params.id, actorOf(c)))) {
        throw new DomainError('notFound', 'There is no key with this id; GET /keys lists them');
      }
      await refreshSoon(deps);
      return answer(c, 204, null, null);
    },
  });
}
