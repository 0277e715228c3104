import { createServer } from 'node:http';
import { once } from 'node:events';
import { Registry } from 'prom-client';
import type { Logger } from '../adapters/logger.ts';
import { createRegionMetrics } from '../adapters/region-metrics.ts';
import type { RegionStatus } from '../adapters/region-status.ts';

const HOST = '127.0.0.1';

/**
 * Serves the metrics of the region on loopback: a standby runs no API that could. `null` serves nothing, 0 takes a free port.
 * @returns what stops it
 */
export async function serveRegionMetrics(
  port: number | null,
  read: () => RegionStatus | null,
  log: Pick<Logger, 'info' | 'error'>,
): Promise<() => Promise<void>> {
  if (port === null) return () => Promise.resolve();
  const registry = new Registry();
  createRegionMetrics(registry, read);
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  try {
    server.listen(port, HOST);
    await once(server, 'listening');
  } catch (error) {
    // A failover needs no metrics.
    log.error({ err: error, port }, 'the metrics of the region are not served');
    return () => Promise.resolve();
  }
  log.info({ address: server.address() }, 'metrics of the region');
  return async () => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
}
