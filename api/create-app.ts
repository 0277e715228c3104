import { OpenAPIHono } from '@hono/zod-openapi';
import type { Metrics } from '../adapters/metrics.ts';
import type { IdempotencyStore } from '../db/idempotency-store.ts';
import type { Registry } from '../db/ports.ts';
import { DomainError } from '../domain/errors.ts';
import type { AppEnv } from './app-env.ts';
import type { FleetOverview, JournalHealth } from './cluster/calls.ts';
import { overviewOfOne } from './cluster/overview-of-one.ts';
import type { ControlPlane } from './control-plane.ts';
import { createErrorHandler } from './error-handler.ts';
import type { Log } from './log.ts';
import { observeRequests } from './middleware/observe-requests.ts';
import { requestContext } from './middleware/request-context.ts';
import { createOpenApiDocument } from './openapi-document.ts';
import { registerOperations } from './operation.ts';
import type { Operation } from './operation.ts';
import { createProtection } from './protection.ts';
import type { Protection } from './protection.ts';
import { protocolOperations } from './protocols/protocol-operations.ts';
import type { BackupDesk } from './backups/backup-desk.ts';
import { auditOperations } from './routes/audit.ts';
import { backupOperations } from './routes/backups.ts';
import { docsOperations } from './routes/docs.ts';
import { drillOperations } from './routes/drills.ts';
import { feedbackOperations } from './routes/feedback.ts';
import { healthOperations } from './routes/health.ts';
import { importVersionOperations } from './routes/import-version.ts';
import type { ImportVersionDeps } from './routes/import-version.ts';
import { keyOperations } from './routes/keys.ts';
import { ledgerOperations } from './routes/ledger.ts';
import { metricsOperations } from './routes/metrics.ts';
import { modelOperations } from './routes/models.ts';
import { outcomeOperations } from './routes/outcomes.ts';
import { predictionOperations } from './routes/predictions.ts';
import { restorePointOperations } from './routes/restore-points.ts';
import { approvalOperations } from './routes/rollout-approvals.ts';
import { rolloutCommandOperations } from './routes/rollout-commands.ts';
import { rolloutPlanOperations } from './routes/rollout-plan.ts';
import { reportOperations } from './routes/rollout-report.ts';
import { rolloutOperations } from './routes/rollouts.ts';
import { stopTheLineOperations } from './routes/stop-the-line.ts';
import { trainingOperations } from './routes/training.ts';
import { triggerOperations } from './routes/triggers.ts';
import { versionOperations } from './routes/versions.ts';
import { webhookOperations } from './routes/webhooks.ts';
import type { Webhooks } from './routes/webhooks.ts';
import type { KeyDirectory } from './security/key-directory.ts';
import type { Serving } from './serving/contract.ts';

export interface AppDeps {
  readonly registry: Registry;
  readonly serving: Serving;
  readonly control: ControlPlane;
  readonly keys: KeyDirectory;
  readonly metrics: Metrics;
  readonly log: Log;
  /** By name; each resolves when its service answers. For `/health/detailed`. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  /** Absent: model files cannot be imported. */
  readonly imports?: ImportVersionDeps;
  /** Absent: nobody can be told what rollouts do. */
  readonly webhooks?: Webhooks;
  /** Absent: backups are nobody's business here. */
  readonly desk?: BackupDesk;
  /** Rejects with `fenced` where another region owns the epoch. Absent: there is one region. */
  readonly requireLease?: () => Promise<void>;
  /** Absent: an `Idempotency-Key` means nothing. */
  readonly idempotency?: IdempotencyStore;
  /** Absent: predictions are not journalled. */
  readonly journal?: () => JournalHealth;
  /** Of all processes; default: this one is alone. */
  readonly overview?: () => Promise<FleetOverview>;
  /** Shared with the hot path. Default: of this application alone. */
  readonly protection?: Protection;
  readonly isDraining: () => boolean;
  /** Epoch ms. */
  readonly now: () => number;
  /** Of the platform. */
  readonly version: string;
}

/** The HTTP API as a function from request to answer; `server.ts` gives it a port. */
export function createApp(given: AppDeps): OpenAPIHono<AppEnv> {
  const deps = { ...given, protection: given.protection ?? createProtection(given) };
  const app = new OpenAPIHono<AppEnv>();
  app.use('*', requestContext());
  app.onError(createErrorHandler(deps.log));
  const operations = createOperations(app, deps);
  registerOperations(app, operations, deps);
  const { metrics, serving } = deps;
  metrics.watchServing(() => ({ ...serving.status(), models: serving.served() }));
  metrics.watchBreakers(() => serving.served());
  if (deps.journal !== undefined) metrics.watchJournal(deps.journal);
  app.all('*', observeRequests(metrics, 'unmatched'), (c) => {
    throw notServed(operations, c.req.path);
  });
  return app;
}

/** Each group next to its narrow needs; the order is that of the documentation. */
function createOperations(
  app: OpenAPIHono<AppEnv>,
  given: AppDeps & { readonly protection: Protection },
): readonly Operation[] {
  const deps = { overview: overviewOfOne(given), ...given, charge: given.protection.charge };
  const document = createOpenApiDocument(app, deps.version, () => deps.serving.served());
  return [
    ...predictionOperations(deps),
    ...feedbackOperations(deps),
    ...outcomeOperations(deps),
    ...protocolOperations(deps),
    ...modelOperations(deps),
    ...versionOperations(deps),
    ...(deps.imports === undefined ? [] : importVersionOperations(deps.imports)),
    ...trainingOperations(deps),
    ...rolloutOperations(deps),
    ...rolloutPlanOperations(deps),
    ...reportOperations(deps),
    ...approvalOperations(deps),
    ...rolloutCommandOperations(deps),
    ...stopTheLineOperations(deps),
    ...triggerOperations(deps),
    ...ledgerOperations(deps),
    ...(deps.webhooks === undefined ? [] : webhookOperations({ ...deps, webhooks: deps.webhooks })),
    ...backupsOf(deps),
    ...keyOperations(deps),
    ...auditOperations(deps),
    ...healthOperations(deps),
    ...metricsOperations(deps),
    ...docsOperations(document),
  ];
}

function backupsOf({ desk, ...deps }: AppDeps): readonly Operation[] {
  return desk === undefined
    ? []
    : [
        // Before the one set: their path would fit that of a set.
        ...drillOperations({ ...deps, desk }),
        ...backupOperations({ ...deps, desk }),
        ...restorePointOperations({ ...deps, desk }),
      ];
}

/** Two parameters in one segment. */
const isPair = (part: string): boolean => part.includes('}:{');

/** A part is a text, a parameter, or a pair of parameters. */
function segmentFits(part: string, segment: string): boolean {
  if (!part.startsWith('{')) return part === segment;
  return isPair(part) ? /^.+(?::|%3a)[^:]*$/i.test(segment) : segment !== '';
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const segments = path.split('/');
  const fits = (part: string, i: number) => segmentFits(part, segments[i] ?? '');
  return parts.length === segments.length && parts.every(fits);
}

/** 405 where the path exists with another method (RFC 9110 asks for the list), else 404. */
function notServed(operations: readonly Operation[], path: string): DomainError {
  const fitting = operations.filter((o) => matches(o.path, path));
  const pairs = fitting.filter((o) => isPair(o.path));
  const methods = (pairs.length === 0 ? fitting : pairs).map((o) => o.method.toUpperCase());
  if (methods.length === 0)
    return new DomainError('notFound', 'There is nothing at this path; /docs lists what there is');
  const allowed = [...new Set(methods)];
  return new DomainError('methodNotAllowed', `This path takes ${allowed.join(' and ')}`, [
    { field: 'method', message: 'is not one of the methods of this path', allowed },
  ]);
}
