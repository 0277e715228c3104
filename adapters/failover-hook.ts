import { execFile } from 'node:child_process';
import { DomainError } from '../domain/errors.ts';
import type { FailoverHook } from './region-config.ts';
import { postJson } from './webhooks/post-json.ts';
import { signedHeaders } from './webhooks/signature.ts';

/** A change of DNS or of a load balancer is ordered within this time; it need not have reached everybody. */
const COMMAND_TIMEOUT_MS = 30_000;
const OUTPUT_BYTES_MAX = 64 * 1024;
const TOLD_CHARACTERS = 500;

/** What a hook is told, as JSON or in place of `{region}`, `{epoch}`, `{previous}` and `{api}` in its arguments. */
export interface FailoverEvent {
  readonly region: string;
  readonly epoch: number;
  /** The region that owned the epoch before; empty: none. */
  readonly previous: string;
  /** Address of this region's API, as it is known on this machine. */
  readonly api: string;
}

/** Moves the traffic. The same event may come twice. @throws DomainError `unavailable` with what the hook said */
export async function runFailoverHook(
  hook: FailoverHook,
  event: FailoverEvent,
  { allowPrivate }: { readonly allowPrivate: boolean },
): Promise<string> {
  if (hook.kind === 'command') return runCommand(hook.command, event);
  const body = JSON.stringify({ type: 'region.failover', ...event });
  // The same for each try, so that a receiver knows a repeated call.
  const id = `failover.${event.region}.${event.epoch}`;
  const headers = hook.secret === null ? {} : signedHeaders({ id, atMs: Date.now(), body }, hook.secret);
  await postJson(hook.url, body, headers, { allowPrivate });
  return `told ${new URL(hook.url).host}`;
}

function runCommand([program, ...args]: readonly [string, ...string[]], event: FailoverEvent): Promise<string> {
  const filled = args.map((arg) =>
    arg.replaceAll(/\{(region|epoch|previous|api)\}/g, (_, name: keyof FailoverEvent) => String(event[name])),
  );
  return new Promise((resolve, reject) => {
    const options = { timeout: COMMAND_TIMEOUT_MS, maxBuffer: OUTPUT_BYTES_MAX, cwd: '/' };
    execFile(program, filled, options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(`ran ${program}`);
        return;
      }
      const said = `${stderr}${stdout}`.trim().slice(-TOLD_CHARACTERS);
      const code = typeof error.code === 'number' ? `code ${error.code}` : (error.signal ?? error.message);
      reject(new DomainError('unavailable', `${program} ended with ${code}: ${said}`));
    });
  });
}
