import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { DomainError } from '../domain/errors.ts';
import type { Config } from './config.ts';

/** Bound of one call, the SDK's own tries included. */
const CALL_TIMEOUT_MS = 10_000;
const PING_TIMEOUT_MS = 2_000;
/** gRPC's own bound is two minutes: a Temporal that is back would go unnoticed for as long. */
const RECONNECT_MS_MAX = 1_000;
/** Status codes of gRPC after which the same call may succeed later. */
const PASSING_STATUSES: ReadonlyMap<number, string> = new Map([
  [1, 'cancelled'],
  [4, 'no answer in time'],
  [8, 'overloaded'],
  [14, 'not reachable'],
]);
/** Errors nest: the SDK's around gRPC's; the bound is against a cycle. */
const CAUSES_MAX = 5;

export interface TemporalClient {
  readonly client: Client;
  readonly connection: Connection;
  /**
   * Runs client calls under a deadline. What passes by itself (unreachable, overloaded, no answer) becomes
   * `DomainError('unavailable')`; every other error of the SDK passes through for the caller to tell apart.
   * After `unavailable` the server may still have done it: starts and updates carry ids.
   */
  call<T>(work: (client: Client) => Promise<T>, timeoutMs?: number): Promise<T>;
  /** Milliseconds a round trip took. @throws DomainError `unavailable` */
  ping(): Promise<number>;
  close(): Promise<void>;
}

/**
 * Connects at the first call, and again by itself after an outage. Reads no environment.
 * @throws DomainError `invalidInput` when the configuration names no address
 */
export function connectTemporal(config: Pick<Config, 'temporalAddress' | 'temporalNamespace'>): TemporalClient {
  const { temporalAddress: address, temporalNamespace: namespace } = config;
  if (address === null) {
    throw new DomainError('invalidInput', 'No Temporal server is configured', [
      { field: 'TEMPORAL_ADDRESS', message: 'expected host:port' },
    ]);
  }
  // Never `ensureConnected`: it remembers its first failure for good, while the channel itself reconnects.
  const connection = Connection.lazy({
    address,
    channelArgs: { 'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX },
  });
  const client = new Client({ connection, namespace });

  async function call<T>(work: (client: Client) => Promise<T>, timeoutMs = CALL_TIMEOUT_MS): Promise<T> {
    try {
      return await connection.withDeadline(Date.now() + timeoutMs, () => work(client));
    } catch (error) {
      const status = passingStatus(error);
      throw status === null ? error : new DomainError('unavailable', `Temporal cannot answer now (${status})`);
    }
  }

  return {
    client,
    connection,
    call,
    ping: async () => {
      const startedAt = performance.now();
      await call(() => connection.workflowService.getSystemInfo({}), PING_TIMEOUT_MS);
      return performance.now() - startedAt;
    },
    close: () => connection.close(),
  };
}

function passingStatus(error: unknown): string | null {
  let current: unknown = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
    if (isGrpcServiceError(current)) return PASSING_STATUSES.get(current.code) ?? null;
    if (current.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return 'no answer in time';
    current = current.cause;
  }
  return null;
}
