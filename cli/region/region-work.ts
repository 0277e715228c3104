import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { readConfig, type Config } from '../../adapters/config.ts';
import { openObjectStore } from '../../adapters/object-stores/open-object-store.ts';
import type { RegionConfig } from '../../adapters/region-config.ts';
import { readRegionStatus } from '../../adapters/region-status.ts';
import { createDatabase } from '../../db/connect.ts';
import { createRegionStore } from '../../db/region-store.ts';
import { hasRunOut } from '../../domain/recovery/region.ts';
import { lockHome } from '../../infra/platform/home-lock.ts';
import { ownDatabaseUrl } from '../../recovery/region/own-database.ts';
import { openRegionHome, writeRegionHome } from '../../recovery/region/region-home.ts';
import { createRegionObjects } from '../../recovery/region/region-objects.ts';
import { loadVaultKeys } from '../../recovery/vault/vault-keys.ts';
import {
  FAILOVER_WORKFLOW,
  FAILOVER_WORKFLOW_ID,
  regionTaskQueue,
  type FailoverRegionInput,
  type FailoverRegionResult,
} from '../../workflows/failover-messages.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import type { RegionOptions } from './options.ts';
import { requireTyped } from '../restore/options.ts';
import type { Session } from '../session.ts';
import { withTemporalHere, workflowFailed } from '../temporal-here.ts';

/** The status of a process that lives is younger. */
const STATUS_FRESH_MS = 10_000;

type FailingOver = (input: FailoverRegionInput) => Promise<FailoverRegionResult>;

function regionConfig(): { readonly config: Config; readonly region: RegionConfig } {
  const config = readConfig();
  if (config.region !== null) return { config, region: config.region };
  throw new CliError(EXIT.refused, 'noRegion', 'This platform has no region', {
    hint: 'Set SLUICE_REGION as the platform has it',
  });
}

async function openObjects({ backup }: Config, { target: name }: RegionConfig) {
  const target = backup.targets.find((one) => one.name === name);
  if (target === undefined) throw new CliError(EXIT.refused, 'noTarget', `There is no backup target ${name}`);
  const store = await openObjectStore(target, backup.credentials);
  return { store, objects: createRegionObjects(store, await loadVaultKeys(backup.keys)) };
}

/** Reads the target and what the process of this home knows. */
export async function status(session: Session): Promise<ExitCode> {
  const { config, region } = regionConfig();
  const { store, objects } = await openObjects(config, region);
  try {
    const claim = await objects.newestClaim();
    const lease = await objects.newestLease((claim?.epoch ?? 0) + 1);
    const told = readRegionStatus(config.home);
    const here = told !== null && Date.now() - told.atMs < STATUS_FRESH_MS ? told : null;
    // Both dates are for people: what decides are the regions' own clocks.
    const quietMs = lease === null ? null : Math.max(0, Date.now() - lease.atMs);
    const alive = lease !== null && quietMs !== null && lease.epoch === claim?.epoch && !hasRunOut(lease, quietMs);
    const seen = quietMs === null ? 'never' : `${(quietMs / 1000).toFixed(0)} s ago`;
    const standby = here?.standby ?? null;
    const lag = standby?.lagSeconds ?? null;
    session.answer({ region: region.region, owner: claim, lease, alive, here }, [
      `Target      ${store.address}`,
      `Owner       ${claim === null ? 'nobody yet' : `${claim.region}, epoch ${String(claim.epoch)}, heard ${seen}${alive ? '' : ': SILENT'}`}`,
      `Here        ${region.region}: ${here === null ? 'does not run' : here.role === 'active' ? `active, lease ${here.lease}` : 'standby'}`,
      ...(standby === null
        ? []
        : [
            `Standby     ${standby.phase}, replayed to ${standby.replayedLsn ?? 'nothing'} of ${standby.fetchedLsn ?? 'nothing'} fetched, ${lag === null ? 'not yet level' : `${lag.toFixed(0)} s behind the target`}`,
          ]),
      ...(here?.problem == null ? [] : [`Problem     ${here.problem}`]),
    ]);
    return alive ? EXIT.ok : EXIT.refused;
  } finally {
    await store.close();
  }
}

export async function failover(session: Session, options: RegionOptions): Promise<ExitCode> {
  const { config, region } = regionConfig();
  requireTyped(
    region.region,
    options.confirm,
    `Region ${region.region} would take over from the one that owns the epoch`,
  );
  const reason = options.reason === undefined ? {} : { reason: options.reason };
  const input = { confirm: region.region, requestedBy: 'cli', ...reason };
  return withTemporalHere(workflowFailed('failover'), async ({ temporal }) => {
    const handle = await temporal.call((client) => start(client, regionTaskQueue(config.taskQueue), input));
    if (options.wait === false) {
      session.answer({ workflow_id: FAILOVER_WORKFLOW_ID, run_id: handle.firstExecutionRunId }, [
        `The failover runs as the workflow ${FAILOVER_WORKFLOW_ID}`,
      ]);
      return EXIT.ok;
    }
    const result = await handle.result();
    session.answer(result, reportLines(result));
    return result.trafficProblem === null ? EXIT.ok : EXIT.failed;
  });
}

async function start(
  client: Client,
  taskQueue: string,
  input: FailoverRegionInput,
): Promise<WorkflowHandleWithFirstExecutionRunId<FailingOver>> {
  try {
    const workflowId = FAILOVER_WORKFLOW_ID;
    return await client.workflow.start<FailingOver>(FAILOVER_WORKFLOW, { workflowId, taskQueue, args: [input] });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new CliError(EXIT.refused, 'conflict', 'A failover runs already', { hint: 'sluice region status' });
  }
}

function reportLines(result: FailoverRegionResult) {
  const { region, previous, epoch, released, promotion, proof, traffic, trafficProblem, tookMs } = result;
  const { reachedLsn, missingBytes, rollouts, missingArtefacts } = promotion;
  const how =
    previous === '' ? '' : released ? `, ${previous} stopped in order` : `, the lease of ${previous} had run out`;
  return [
    `Region ${region} serves in epoch ${String(epoch)} after ${(tookMs / 1000).toFixed(1)} s${how}`,
    `Log         replayed to ${reachedLsn}${missingBytes === null ? '' : `, ${String(missingBytes)} bytes are missing`}`,
    `Models      ${proof.models.map((m) => `${m.model} version ${String(m.version)}: ${String(m.rows)} golden rows as before`).join('; ') || 'none in production'}`,
    ...rollouts.map((rollout) => `Rollout     ${rollout.model}: ${rollout.reason}`),
    ...(missingArtefacts.length === 0
      ? []
      : [`Artefacts   ${String(missingArtefacts.length)} had not reached the target`]),
    `Traffic     ${trafficProblem === null ? (traffic ?? 'no hook is declared: move it by hand') : `NOT MOVED, move it by hand: ${trafficProblem}`}`,
    'Next: sluice backup now',
  ];
}

/** The database of this home stays aside until the next time. */
export async function follow(session: Session, options: RegionOptions): Promise<ExitCode> {
  const { config, region } = regionConfig();
  requireTyped(region.region, options.confirm, `The database of region ${region.region} would be replaced by a copy`);
  const { store, objects } = await openObjects(config, region);
  const lock = lockHome(config.home);
  try {
    const own = openRegionHome(config.home, region.role);
    const claim = await objects.newestClaim();
    if (claim === null || claim.holder === own.holder) {
      const message = claim === null ? 'no region has claimed an epoch' : `it owns epoch ${String(claim.epoch)} itself`;
      throw new CliError(EXIT.refused, 'refused', `Region ${region.region} follows nobody: ${message}`);
    }
    // Workflows of its own time would go on from a state that the copy does not know.
    const temporal = join(config.home, 'temporal');
    if (existsSync(temporal)) renameSync(temporal, `${temporal}.replaced-${String(Date.now())}`);
    writeRegionHome(config.home, { holder: own.holder, role: 'standby' });
    session.answer({ region: region.region, follows: claim.region, epoch: claim.epoch }, [
      `Region ${region.region} is a standby of ${claim.region} (epoch ${String(claim.epoch)}) from its next start`,
      'Next: sluice up',
    ]);
    return EXIT.ok;
  } finally {
    lock.release();
    await store.close();
  }
}

export async function leave(session: Session, options: RegionOptions): Promise<ExitCode> {
  const config = readConfig();
  const url = ownDatabaseUrl(config.home, config.databaseUrl);
  if (url === null) throw new CliError(EXIT.unreachable, 'unreachable', 'The database of this home does not run');
  const database = createDatabase(url, { applicationName: 'sluice-cli' });
  try {
    const store = createRegionStore(database);
    const { region } = await store.state();
    if (region === null || config.region !== null) {
      const message = region === null ? 'it belongs to no region' : 'SLUICE_REGION is set: take it away first';
      throw new CliError(EXIT.refused, 'refused', `The database leaves no region: ${message}`);
    }
    requireTyped(region, options.confirm, `The database would take control writes, whatever another region does`);
    await store.leave('cli', 'left its group of regions');
    session.answer({ left: region }, [`The database takes control writes without a region (it was in ${region})`]);
    return EXIT.ok;
  } finally {
    await database.close();
  }
}
