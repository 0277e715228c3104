/** An API process whose every prediction takes a fixed time of the processor: an exact capacity to overload. */
import { createMetrics } from '../../../adapters/metrics.ts';
import { createHotPath } from '../../../api/hot-path/create-hot-path.ts';
import { prepareLane } from '../../../api/hot-path/create-lane.ts';
import { startServer } from '../../../api/server.ts';
import { createTestApp } from '../../unit/api/support/test-app.ts';
import { answered } from '../../unit/api/support/samples.ts';

const costMs = Number(process.argv[2]);

/** Of this process, ms: on a machine that has other work it does not pass while the process is held up. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** A run of a model does not hold the event loop: it takes the processor in slices of this length. */
const SLICE_MS = 0.5;

/** One after the other, as runs of a model. */
function createCostlyPredict() {
  const waiting: (() => void)[] = [];
  let spentMs = 0;
  const runSlice = (): void => {
    const sinceMs = processorMs();
    while (processorMs() < sinceMs + SLICE_MS);
    spentMs += SLICE_MS;
    if (spentMs >= costMs) {
      spentMs = 0;
      waiting.shift()?.();
    }
    if (waiting.length > 0) setImmediate(runSlice);
  };
  return () =>
    new Promise<readonly (typeof answered)[]>((resolve) => {
      waiting.push(() => resolve([answered]));
      if (waiting.length === 1) setImmediate(runSlice);
    });
}

const test = await createTestApp({ metrics: createMetrics() });
const { keys, metrics, log, protection, serving, keyOf } = test;
serving.predict.mockImplementation(createCostlyPredict());
const parts = { serving, keys, metrics, log, protection };
const ways = { hotPath: createHotPath(parts), lane: prepareLane(parts) };
const { port } = await startServer(test.app.fetch, { host: '127.0.0.1', port: 0, ...ways });
process.on('disconnect', () => process.exit(0));
process.on('message', () => {
  const rssMb = process.memoryUsage.rss() / 1024 / 1024;
  process.send?.({ processorMs: processorMs(), rssMb, ...protection.admission.status() });
});
process.send?.({ port, key: keyOf.predict });
