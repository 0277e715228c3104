import type { InstanceStore } from '../../db/rollout-ports.ts';
import type { AdoptedRouting } from './model-routing.ts';
import { createRareLog } from './rare-log.ts';
import type { ServingLog } from './ports.ts';

/** A process that was not heard of for several of these is taken for gone. */
const REPORT_EVERY_MS = 5_000;
const LOG_EVERY_MS = 60_000;

export interface InstanceReports {
  /** Something was adopted: said at once. */
  adopted(): void;
  start(): void;
  /** Takes the process off the list, within `limitMs`. */
  close(limitMs: number): Promise<void>;
}

/**
 * Tells the registry which generation of each model's routing this process serves and which versions it holds warm, so
 * that a rollout knows when a change has reached everybody. Nothing waits for it; while the database is away it is not
 * said, and a rollout cannot change anything then either.
 */
export function createInstanceReports(deps: {
  readonly instance: string;
  readonly instances: Pick<InstanceStore, 'report' | 'leave'>;
  readonly routings: () => readonly AdoptedRouting[];
  readonly log: ServingLog;
}): InstanceReports {
  const rarely = createRareLog(LOG_EVERY_MS);
  let timer: NodeJS.Timeout | undefined;
  let reporting: Promise<void> | null = null;
  let again = false;
  let closed = false;

  const rows = () =>
    deps.routings().map(({ table, versions }) => ({
      model: table.model,
      generation: table.generation,
      warmVersions: [...versions.keys()],
      seenAtMs: Date.now(),
    }));

  async function reportWhileAsked(): Promise<void> {
    while (again && !closed) {
      again = false;
      try {
        await deps.instances.report(deps.instance, rows());
      } catch (error) {
        rarely('waiting', () => deps.log.warn({ err: error }, 'the routing in force here could not be reported'));
      }
    }
  }

  function say(): void {
    again = true;
    reporting ??= reportWhileAsked().finally(() => {
      reporting = null;
    });
  }

  return {
    adopted: say,
    start: () => {
      timer = setInterval(say, REPORT_EVERY_MS);
      timer.unref();
      say();
    },
    close: async (limitMs) => {
      closed = true;
      clearInterval(timer);
      const left = (reporting ?? Promise.resolve()).then(() => deps.instances.leave(deps.instance));
      const late = new Promise<void>((resolve) => setTimeout(resolve, limitMs).unref());
      await Promise.race([left.catch(() => undefined), late]);
    },
  };
}
