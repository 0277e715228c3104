import { describe, expect, it } from 'vitest';
import { connectTemporal } from '../../../adapters/temporal-client.ts';

describe('connectTemporal', () => {
  it('refuses a configuration without an address, naming the setting', () => {
    expect(() => connectTemporal({ temporalAddress: null, temporalNamespace: 'default' })).toThrow(
      expect.objectContaining({
        code: 'invalidInput',
        problems: [expect.objectContaining({ field: 'TEMPORAL_ADDRESS' })],
      }),
    );
  });

  it('does not connect before the first call, and answers unavailable within the deadline when nobody listens', async () => {
    // Port 1 is reserved and refused at once.
    const temporal = connectTemporal({ temporalAddress: '127.0.0.1:1', temporalNamespace: 'default' });
    const startedAt = performance.now();
    const started = temporal.call((c) => c.workflow.start('any', { taskQueue: 'q', workflowId: 'w' }), 300);
    await expect(started).rejects.toMatchObject({ name: 'DomainError', code: 'unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await temporal.close();
  });

  it("passes errors through that are not the network's", async () => {
    const temporal = connectTemporal({ temporalAddress: '127.0.0.1:1', temporalNamespace: 'default' });
    const failure = new TypeError('mine');
    await expect(temporal.call(() => Promise.reject(failure))).rejects.toBe(failure);
    await temporal.close();
  });
});
