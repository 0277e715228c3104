/** The load, in a process of its own: the client must not slow the server that it measures. */
import autocannon from 'autocannon';

export interface Load {
  readonly url: string;
  readonly key: string;
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  /** Not answered, answered late, or not with 200. */
  readonly errors: number;
  /** Milliseconds, of every answer. */
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function run({ url, key, bodies, connections, seconds }: Load): Promise<LoadResult> {
  const times: number[] = [];
  const headers = { 'x-api-key': key, 'content-type': 'application/json' };
  const requests = bodies.map((body) => ({ method: 'POST' as const, path: '/predict', headers, body }));
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const done = (error: unknown, finished: autocannon.Result): void => {
      if (error instanceof Error) reject(error);
      else resolve(finished);
    };
    const instance = autocannon({ url, connections, duration: seconds, requests }, done);
    instance.on('response', (_client, _status, _bytes, responseTimeMs) => times.push(responseTimeMs));
  });
  const sorted = Float64Array.from(times).sort();
  return {
    requests: sorted.length,
    seconds: result.duration,
    errors: result.errors + result.timeouts + result.non2xx + result.mismatches,
    p50Ms: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    p99Ms: quantile(sorted, 0.99),
  };
}

process.on('message', (load) => {
  run(load as Load).then(
    (result) => process.send?.(result, () => process.disconnect()),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
