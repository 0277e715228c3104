import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { FirstAnswer, IdempotencyStore } from '../../../db/idempotency-store.ts';
import { createTestApp } from './support/test-app.ts';

interface Row {
  readonly fingerprint: string;
  readonly attempt: string;
  answer: FirstAnswer | null;
}

/** As the table does it, but for time. */
function createStore() {
  const rows = new Map<string, Row>();
  const store: IdempotencyStore = {
    claim: async (keyHash, fingerprint) => {
      await Promise.resolve();
      const row = rows.get(keyHash);
      if (row === undefined) {
        const attempt = randomUUID();
        rows.set(keyHash, { fingerprint, attempt, answer: null });
        return { kind: 'first', attempt };
      }
      if (row.fingerprint !== fingerprint) return { kind: 'otherBody' };
      return row.answer === null ? { kind: 'inFlight' } : { kind: 'answered', answer: row.answer };
    },
    settle: async (keyHash, _attempt, answer) => {
      await Promise.resolve();
      rows.get(keyHash)!.answer = answer;
    },
    release: async (keyHash) => {
      await Promise.resolve();
      rows.delete(keyHash);
    },
  };
  return { rows, store };
}

async function setUp() {
  const { rows, store } = createStore();
  const test = await createTestApp({ idempotency: store });
  const post = (path: string, body: unknown, key: string) =>
    test.call('POST', path, { body, headers: { 'idempotency-key': key } });
  return { ...test, rows, post };
}

const feedback = { model: 'leavers', entity_id: 'c-1', label: 'yes' };

describe('Idempotency-Key', () => {
  it('the same again is answered as the first time and not done again', async () => {
    const { post, control } = await setUp();
    const first = await post('/models/leavers/train', { seed: 1 }, 'k-1');
    const again = await post('/models/leavers/train', { seed: 1 }, '"k-1"');
    expect([first.status, again.status]).toEqual([202, 202]);
    expect(again.text).toBe(first.text);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(control.startTraining).toHaveBeenCalledOnce();
    expect((await post('/models/leavers/train', { seed: 1 }, 'k-2')).headers.has('idempotent-replayed')).toBe(false);
  });

  it('another body under the same key is refused with 422', async () => {
    const { post, world } = await setUp();
    expect((await post('/feedback', feedback, 'k-1')).status).toBe(200);
    const other = await post('/feedback', { ...feedback, label: 'no' }, 'k-1');
    expect(other.status).toBe(422);
    expect(other.fields).toEqual(['Idempotency-Key']);
    expect(world.feedback).toHaveLength(1);
  });

  it('while the first is in flight, the second is told to come back', async () => {
    const { post, world } = await setUp();
    const answers = await Promise.all([post('/feedback', feedback, 'k-1'), post('/feedback', feedback, 'k-1')]);
    expect(answers.map((a) => a.status).sort()).toEqual([200, 409]);
    expect(answers.find((a) => a.status === 409)!.headers.get('retry-after')).toBe('1');
    expect(world.feedback).toHaveLength(1);
  });

  it('a made key is not kept: the second answer names its id alone', async () => {
    const { post, world, rows } = await setUp();
    const body = { name: 'crm', permissions: ['predict'] };
    const first = await post('/keys', body, 'k-1');
    const made = first.json as { id: string; key: string };
    const again = await post('/keys', body, 'k-1');
    expect(again.status).toBe(409);
    expect(again.json).toMatchObject({ error: 'alreadyDone', problems: [{ field: 'id', allowed: [made.id] }] });
    expect(world.keys.filter((k) => k.name === 'crm')).toHaveLength(1);
    expect(JSON.stringify([...rows])).not.toContain(made.key);
  });

  it('a failure that may pass is not kept', async () => {
    const { post, control } = await setUp();
    control.startTraining.mockRejectedValueOnce(new Error('broken'));
    expect((await post('/models/leavers/train', {}, 'k-1')).status).toBe(500);
    expect((await post('/models/leavers/train', {}, 'k-1')).status).toBe(202);
  });

  it('keys of different callers and operations are different keys', async () => {
    const { post, call, rows } = await setUp();
    await post('/feedback', feedback, 'k-1');
    await call('POST', '/feedback', { body: feedback, key: 'predict', headers: { 'idempotency-key': 'k-1' } });
    await post('/models/leavers/train', {}, 'k-1');
    expect(rows.size).toBe(3);
  });

  it.each(['', 'x'.repeat(256), 'two words', '"'])('%j is no key', async (key) => {
    const { post, world } = await setUp();
    const { status } = await post('/feedback', feedback, key);
    expect(status).toBe(400);
    expect(world.feedback).toEqual([]);
  });
});
