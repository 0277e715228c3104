import { describe, expect, it } from 'vitest';
import { createApiKey } from '../../../api/security/api-key-format.ts';
import { DomainError } from '../../../domain/errors.ts';
import { APPROVER_ROLES, type ApproverRole } from '../../../domain/approver-role.ts';
import { NOW_MS, ROLLOUT_ID, rollout } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

async function withRoles(roles: readonly ApproverRole[]) {
  const t = await createTestApp();
  const { key, row } = createApiKey('lead', ['monitor'], null, 'unlimited', roles);
  t.world.keys.push({ ...row, createdAt: new Date(NOW_MS), revokedAt: null });
  await t.keys.refresh();
  t.world.rollouts = [rollout()];
  const approve = (body: object) => t.call('POST', '/rollouts/leavers/approve', { key, body });
  return { ...t, approve };
}

const hash = { evidence_hash: 'abc123' };

describe('approvals', () => {
  it('are given in the role of the key, on the evidence that was seen', async () => {
    const { approve, control, world } = await withRoles(['techLead']);
    const answer = await approve({ ...hash, reason: 'fine' });
    expect(answer.json).toMatchObject({ applied: 'approve', status: { rolloutId: ROLLOUT_ID } });
    const input = { by: 'key:lead', role: 'techLead', evidenceHash: 'abc123', decision: 'approve', reason: 'fine' };
    expect(control.approveRollout).toHaveBeenCalledWith('leavers', input);
    expect(world.audit.at(-1)).toMatchObject({ action: 'rollout.approve', details: { evidenceHash: 'abc123' } });
  });

  it('say what is missing: a role, the right one, which one, the evidence', async () => {
    const none = await (await withRoles([])).approve(hash);
    expect(none.status).toBe(403);
    expect(none.json.detail).toContain('--role');
    const other = await (await withRoles(['security'])).approve({ ...hash, role: 'executive' });
    expect(other.status).toBe(403);
    expect(other.json.problems).toEqual([expect.objectContaining({ field: 'role', allowed: ['security'] })]);
    const several = await (await withRoles(['security', 'techLead'])).approve(hash);
    expect([several.status, several.fields]).toEqual([422, ['role']]);
    const unseen = await (await withRoles(['security'])).approve({});
    expect([unseen.status, unseen.fields]).toEqual([422, ['evidence_hash']]);
  });

  it('explain other evidence, an ended rollout and a missing worker', async () => {
    const t = await withRoles([...APPROVER_ROLES]);
    const body = { ...hash, role: 'security' };
    t.control.approveRollout.mockRejectedValueOnce(new DomainError('conflict', 'The evidence is another by now'));
    expect((await t.approve(body)).json).toMatchObject({ status: 409, detail: 'The evidence is another by now' });
    t.control.approveRollout.mockResolvedValueOnce({ kind: 'expired' });
    expect((await t.approve(body)).status).toBe(503);
    t.world.rollouts = [rollout(new Date(NOW_MS))];
    expect((await t.approve({ ...body, decision: 'reject' })).json.detail).toContain('has ended');
  });
});

describe('stop the line', () => {
  it('shows who set the switch and why, and takes no change without a reason', async () => {
    const { call } = await createTestApp();
    expect((await call('GET', '/stop-the-line')).json).toMatchObject({ active: false, at: null });
    const set = await call('POST', '/stop-the-line', { body: { active: true, reason: 'quarter end' } });
    expect(set.json).toEqual({
      active: true,
      by: 'key:admin-key',
      reason: 'quarter end',
      at: new Date(NOW_MS).toISOString(),
    });
    const wrong = await call('POST', '/stop-the-line', { body: { active: 'yes' } });
    expect(wrong.fields).toEqual(['active', 'reason']);
  });
});

describe('triggers', () => {
  it('send the open rollout back, written down before anybody is told', async () => {
    const { call, world, control } = await createTestApp();
    world.rollouts = [rollout()];
    const body = { model: 'leavers', kind: 'security', reason: 'leak' };
    const answer = await call('POST', '/triggers', { body });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ rollouts: [{ rollout_id: ROLLOUT_ID, model: 'leavers', told: true }] });
    expect(world.triggers).toMatchObject([{ ...body, by: 'key:admin-key' }]);
    expect(control.triggerRollout).toHaveBeenCalledWith('leavers', {
      kind: 'security',
      reason: 'leak',
      by: 'key:admin-key',
    });
  });

  it('are kept for the next look when Temporal is away', async () => {
    const { call, world, control, log } = await createTestApp();
    world.rollouts = [rollout()];
    control.triggerRollout.mockRejectedValueOnce(new DomainError('unavailable', 'Temporal is away'));
    const answer = await call('POST', '/triggers', { body: { kind: 'webhook', reason: 'stop' } });
    expect(answer.json.rollouts).toMatchObject([{ told: false }]);
    expect(world.triggers).toHaveLength(1);
    expect(log.warn).toHaveBeenCalledOnce();
  });

  it('know their models, and name every problem', async () => {
    const { call } = await createTestApp();
    expect((await call('POST', '/triggers', { body: { model: 'nobody', kind: 'alert', reason: 'x' } })).status).toBe(
      404,
    );
    expect((await call('POST', '/triggers', { body: { kind: 'whim' } })).fields).toEqual(['kind', 'reason']);
  });
});

/** As Alertmanager 0.27 sends it, with the fields it has. */
const alertmanager = {
  version: '4',
  groupKey: '{}/{severity="page"}:{alertname="ModelErrors"}',
  truncatedAlerts: 0,
  status: 'firing',
  receiver: 'sluice',
  groupLabels: { alertname: 'ModelErrors' },
  commonLabels: { alertname: 'ModelErrors', severity: 'page' },
  commonAnnotations: {},
  externalURL: 'http://alertmanager.example:9093',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'ModelErrors', model: 'leavers', severity: 'page' },
      annotations: { summary: 'leavers fails 3 % of its requests' },
      startsAt: '2026-03-01T09:30:00.000Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://prometheus.example:9090/graph?g0.expr=up',
      fingerprint: 'c3e4b6a1d2f80917',
    },
    {
      status: 'resolved',
      labels: { alertname: 'Other', model: 'leavers' },
      annotations: {},
      startsAt: '2026-03-01T08:00:00.000Z',
      endsAt: '2026-03-01T09:00:00.000Z',
      generatorURL: '',
      fingerprint: 'a1b2c3d4e5f60718',
    },
  ],
};

describe('alerts', () => {
  it('of a model send its rollout back; resolved ones and repetitions change nothing more', async () => {
    const { call, world, control } = await createTestApp();
    world.rollouts = [rollout()];
    const answer = await call('POST', '/triggers/alertmanager', { body: alertmanager });
    expect(answer.status).toBe(202);
    expect(answer.json.rollouts).toEqual([{ rollout_id: ROLLOUT_ID, model: 'leavers', told: true }]);
    expect(control.triggerRollout).toHaveBeenCalledOnce();
    await call('POST', '/triggers/alertmanager', { body: alertmanager });
    expect(world.triggers.map((t) => t.reason)).toEqual(
      Array(2).fill('ModelErrors: leavers fails 3 % of its requests'),
    );
    expect(new Set(world.triggers.map((t) => t.id)).size).toBe(1);
  });

  it('are refused in another version of the format', async () => {
    const { call } = await createTestApp();
    const answer = await call('POST', '/triggers/alertmanager', { body: { ...alertmanager, version: '5', alerts: 1 } });
    expect(answer.fields).toEqual(['version', 'alerts']);
  });
});

describe('the ledger', () => {
  const entry = {
    model: 'leavers',
    generation: 1,
    salt: 's',
    rolloutId: null,
    routes: [{ variant: 'champion', version: 1, weightPercent: 100 } as const],
    changedBy: 'key:ann',
    reason: 'first',
    evidence: null,
    validFrom: new Date(NOW_MS - 60_000),
    validTo: null,
  };

  it('answers for a moment and for a range', async () => {
    const { call, world } = await createTestApp();
    world.ledger = [entry];
    const at = (ms: number) => call('GET', `/models/leavers/ledger?at=${new Date(ms).toISOString()}`);
    expect((await at(NOW_MS)).json.entries).toMatchObject([{ generation: 1, decided_by: 'key:ann', valid_to: null }]);
    expect((await at(NOW_MS - 90_000)).json.entries).toEqual([]);
    expect((await call('GET', '/models/leavers/ledger')).json.entries).toHaveLength(1);
    expect((await call('GET', '/models/nobody/ledger')).status).toBe(404);
  });

  it('says what is wrong with the question', async () => {
    const { call } = await createTestApp();
    const noon = '2026-03-01T12:00:00Z';
    const ask = (query: string) => call('GET', `/models/leavers/ledger?${query}`);
    expect((await ask(`at=${noon}&from=${noon}`)).fields).toEqual(['at']);
    expect((await ask(`from=${noon}&to=${noon}`)).fields).toEqual(['to']);
    expect((await ask('at=yesterday&limit=0')).fields).toEqual(['at', 'limit']);
  });
});

describe('releasing a version', () => {
  it('lifts the quarantine alone', async () => {
    const { call, world } = await createTestApp();
    world.versions = world.versions.map((v) => (v.version === 2 ? { ...v, status: 'quarantined' as const } : v));
    const start = await call('POST', '/rollouts', { body: { model: 'leavers', version: 2 } });
    expect(start.json.problems).toEqual([expect.objectContaining({ field: 'version' })]);
    const release = (version: number, body: object = { reason: 'the data were wrong' }) =>
      call('POST', `/models/leavers/versions/${version}/release`, { body });
    expect((await release(2)).json).toEqual({ model: 'leavers', version: 2, status: 'accepted' });
    expect(world.audit.at(-1)).toMatchObject({ actor: 'key:admin-key', reason: 'the data were wrong' });
    expect((await release(3)).status).toBe(409);
    expect((await release(9)).status).toBe(404);
    expect((await release(2, {})).fields).toEqual(['reason']);
  });
});

describe('outcomes', () => {
  it('are taken one by one and in lists', async () => {
    const { call, world } = await createTestApp();
    const one = await call('POST', '/outcomes', { key: 'predict', body: { event: 'complaint', entity_id: 17 } });
    expect(one.json).toEqual({ accepted: 1, matched: 1 });
    expect(world.outcomes).toEqual([
      { model: 'leavers', event: 'complaint', value: 1, requestId: null, entityId: '17', occurredAtMs: NOW_MS },
    ]);
    const outcomes = [
      { model: 'leavers', event: 'revenue', value: -2.5, request_id: ROLLOUT_ID.toUpperCase() },
      { event: 'bought', entity_id: 'c' },
    ];
    expect((await call('POST', '/outcomes', { body: { outcomes } })).json.accepted).toBe(2);
    expect(world.outcomes[1]).toMatchObject({ value: -2.5, requestId: ROLLOUT_ID });
  });

  it('are refused as a whole, each problem with its place', async () => {
    const { call, world } = await createTestApp();
    const future = new Date(NOW_MS + 3_600_000).toISOString();
    const outcomes = [{ event: 'a' }, { event: 'b', entity_id: 'x', occurred_at: future }];
    const answer = await call('POST', '/outcomes', { body: { outcomes } });
    expect(answer.fields).toEqual(['outcomes[0].request_id', 'outcomes[1].occurred_at']);
    const unknown = { event: 'a', entity_id: 'x', model: 'nobody' };
    expect((await call('POST', '/outcomes', { body: unknown })).status).toBe(404);
    expect((await call('POST', '/outcomes', { body: { event: '$accuracy', entity_id: 'x' } })).status).toBe(422);
    expect(world.outcomes).toEqual([]);
  });
});

describe('webhooks', () => {
  const url = 'https://hooks.slack.example/services/T0/B0/planted';

  it('show their secret once, and their address never', async () => {
    const { call, world, webhooks } = await createTestApp();
    const made = await call('POST', '/webhooks', { body: { url, format: 'slack', events: ['rollout.rollback'] } });
    expect(made.status).toBe(201);
    expect(made.json.secret).toMatch(/^whsec_/);
    const list = await call('GET', '/webhooks');
    expect(list.json.webhooks).toMatchObject([{ target: 'https://hooks.slack.example/…', format: 'slack' }]);
    const kept = JSON.stringify([world.webhooks, world.audit, list.text]);
    expect(kept).not.toContain('planted');
    expect(kept).not.toContain(made.json.secret);
    const id = made.json.id as string;
    expect((await call('POST', `/webhooks/${id}/test`)).json).toMatchObject({ delivered: true });
    webhooks.notifier.deliver.mockRejectedValueOnce(new DomainError('unavailable', 'it answered with status 500'));
    expect((await call('POST', `/webhooks/${id}/test`)).json).toMatchObject({ delivered: false, message: /500/ });
    expect((await call('DELETE', `/webhooks/${id}`)).status).toBe(204);
    expect((await call('DELETE', `/webhooks/${id}`)).status).toBe(404);
    expect((await call('POST', `/webhooks/${id}/test`)).status).toBe(404);
  });

  it.each(['http://hooks.example.com/', 'https://169.254.169.254/latest', 'https://localhost/', 'nonsense'])(
    'do not lead to %s',
    async (address) => {
      const { call, world } = await createTestApp();
      const answer = await call('POST', '/webhooks', { body: { url: address } });
      expect([answer.status, answer.fields[0]]).toEqual([422, 'url']);
      expect(world.webhooks).toEqual([]);
    },
  );
});
