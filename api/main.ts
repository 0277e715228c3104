/**
 * The API's primary process: reads the configuration, starts the serving processes and keeps them running, ships their
 * journals and adds up their metrics. It serves no traffic itself.
 */
import { readConfig } from '../adapters/config.ts';
import type { Config } from '../adapters/config.ts';
import { createLogger } from '../adapters/logger.ts';
import { readContainerLimits } from './cluster/container-limits.ts';
import { createFleet } from './cluster/fleet.ts';
import { createForker } from './cluster/fork-process.ts';
import { planProcesses } from './cluster/plan-processes.ts';
import { failStart } from './fail-start.ts';
import type { Log } from './log.ts';
import { onDefect, onStop } from './process-lifecycle.ts';
import type { PrimaryDuties } from './primary-duties.ts';
import { requireAddresses } from './service-addresses.ts';

function prepareFleet(config: Config, log: Log, duties: Promise<PrimaryDuties>) {
  const limits = readContainerLimits();
  const plan = planProcesses(limits, config.apiProcesses);
  log.info({ ...plan, cpus: limits.cpus, memoryBytes: limits.memoryBytes }, 'starting');
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const fleet = createFleet({
    processes: plan.processes,
    port: config.port,
    fork: createForker({ module: new URL(`./process.${extension}`, import.meta.url), heapMb: plan.heapMb }),
    log,
    onStarted: (process) => void duties.then((begun) => begun.serve(process)),
    onExited: (process, exit) => void duties.then((begun) => begun.forget(process, exit)),
  });
  return { fleet, memoryLimitMb: config.processMemoryMb ?? plan.memoryLimitMb };
}

async function main(): Promise<void> {
  const config = readConfig();
  const { databaseUrl } = requireAddresses(config);
  const log = createLogger({ level: config.logLevel, name: 'api' });
  onDefect(log);
  let begin: (duties: PrimaryDuties) => void = () => undefined;
  const duties = new Promise<PrimaryDuties>((resolve) => {
    begin = resolve;
  });
  const { fleet, memoryLimitMb } = prepareFleet(config, log, duties);
  const started = fleet.start();
  started.catch(() => undefined);
  onStop(log, async () => {
    await fleet.stop();
    await (await duties).close();
  });
  // Loaded behind the start of the processes: the database driver takes as long as a model.
  const { startPrimaryDuties } = await import('./primary-duties.ts');
  begin(startPrimaryDuties({ config, databaseUrl, fleet, memoryLimitMb, log }));
  const { port } = await started;
  log.info({ host: config.host, port, processes: fleet.serving().length }, 'ready');
  process.send?.({ type: 'ready', port });
}

await main().catch(failStart);
