/** What the platform's HTTP API answers (docs/http-api.md), as far as the command line shows it. */
import type { ApproverRole } from '../../domain/approver-role.ts';
import type { PlanAssessment, TrafficForecast } from '../../domain/assess-plan.ts';
import type { ModelDefinition } from '../../domain/definition.ts';
import type { Evaluation, GateResult, Lineage } from '../../domain/evaluation.ts';
import type { RateTier } from '../../domain/rate-tier.ts';
import type { Permission } from '../../domain/records.ts';
import type { BacktestResult } from '../../domain/replay-policy.ts';
import type { Verdict } from '../../domain/verdict.ts';
import type { RolloutPlan } from '../../domain/rollout/plan.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Route } from '../../domain/routing.ts';
import type { Signature } from '../../domain/signature.ts';
import type { Problem } from '../../domain/errors.ts';
import type { BatchLatency } from '../../models/doctor/examination.ts';
import type { Finding } from '../../models/doctor/finding.ts';
import type { RolloutCommandName, TrainModelResult, TrainProgress, TrainStatus } from '../../workflows/messages.ts';

export interface Aliases {
  readonly champion?: number;
  readonly candidate?: number;
  readonly previous?: number;
}

export interface ModelSummary {
  readonly name: string;
  readonly description: string;
  readonly aliases: Aliases;
  readonly versions: number;
  readonly routing: { readonly generation: number; readonly routes: readonly Route[] } | null;
}

export interface ModelAnswer extends Omit<ModelSummary, 'versions'> {
  readonly definition: ModelDefinition;
}

export interface VersionSummary {
  readonly version: number;
  readonly status: 'validating' | 'accepted' | 'rejected' | 'quarantined';
  readonly algorithm: string;
  readonly artefact_digest: string;
  readonly evaluation: Evaluation;
  readonly created_at: string;
  readonly aliases: readonly string[];
  readonly lineage: Lineage;
}

export interface VersionAnswer extends VersionSummary {
  readonly signature: Signature;
  readonly gates: { readonly passed: boolean; readonly results: readonly GateResult[] } | null;
}

export interface ImportAnswer {
  readonly model: string;
  readonly version: number;
  readonly status: VersionSummary['status'];
  /** False when the same import had made the version before. */
  readonly created: boolean;
  readonly artefact_digest: string;
  readonly artefact_bytes: number;
  readonly producer: string;
  readonly opsets: string;
  readonly signature: Signature;
  readonly findings: readonly Finding[];
  readonly latency: readonly BatchLatency[];
  readonly threads: { readonly intraOp: number; readonly reason: string };
  readonly gates: readonly GateResult[];
}

export interface TrainAnswer {
  readonly workflow_id: string;
  readonly status: 'running' | 'completed' | 'failed' | 'none';
  readonly progress: (TrainStatus & { readonly detail: TrainProgress | null }) | null;
  readonly result: TrainModelResult | null;
  readonly failure: string | null;
}

export interface StartedWorkflow {
  readonly workflow_id: string;
  readonly run_id: string;
}

export interface StartedRollout extends StartedWorkflow {
  /** `null`: no worker has opened it yet. */
  readonly rollout_id: string | null;
}

export interface ApprovalAnswer {
  readonly applied: 'approve' | 'reject';
  readonly status: RolloutSnapshot;
}

export interface AssessmentAnswer {
  readonly model: string;
  readonly plan: RolloutPlan;
  readonly traffic: TrafficForecast;
  readonly assessment: PlanAssessment;
}

export interface BacktestAnswer {
  readonly rollout_id: string;
  readonly model: string;
  readonly recorded: { readonly outcome: string; readonly started_at: string; readonly finished_at: string | null };
  readonly plan: RolloutPlan;
  readonly result: BacktestResult;
}

export interface LedgerAnswer {
  readonly generation: number;
  readonly routes: readonly Route[];
  readonly rollout_id: string | null;
  readonly decided_by: string;
  readonly reason: string;
  readonly evidence: Verdict | null;
  readonly valid_from: string;
  readonly valid_to: string | null;
}

export interface StopTheLineAnswer {
  readonly active: boolean;
  readonly by: string;
  readonly reason: string;
  readonly at: string | null;
}

export interface TriggerAnswer {
  readonly rollouts: readonly { readonly rollout_id: string; readonly model: string; readonly told: boolean }[];
}

export interface WebhookAnswer {
  readonly id: string;
  readonly target: string;
  readonly format: string;
  readonly events: readonly string[];
  readonly last_attempt_at?: string | null;
  readonly last_outcome?: string | null;
}

export interface RolloutAnswer {
  readonly id: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  readonly phase: string;
  readonly plan: RolloutPlan;
  readonly snapshot: RolloutSnapshot | null;
  readonly reason: string | null;
  readonly run_id: string;
  readonly started_by: string;
  readonly started_at: string;
  readonly finished_at: string | null;
}

export type CommandAnswer =
  | { readonly applied: RolloutCommandName; readonly status: RolloutSnapshot }
  /** A rollback with no rollout open: a new one goes back to the alias `previous`. */
  | {
      readonly applied: 'rollback';
      readonly status: null;
      readonly version: number;
      readonly rollout_id: string | null;
    };

export interface PredictionAnswer {
  readonly request_id: string;
  readonly model: string;
  readonly model_version: number;
  readonly variant: string;
  readonly probability: number;
  readonly label: string;
  readonly risk: string;
  readonly threshold: number;
  readonly latency_ms: number;
  readonly warnings: readonly Problem[];
  readonly explanation?: ExplanationAnswer;
}

export type ExplanationAnswer =
  | {
      readonly base: number;
      readonly logit: number;
      readonly contributions: readonly {
        readonly feature: string;
        readonly value: string | number | boolean | null;
        readonly contribution: number;
      }[];
      readonly others: number;
      readonly cost_ms: number;
    }
  | { readonly refused: string };

export interface FailedPrediction {
  readonly error: string;
  readonly problems: readonly Problem[];
}

export interface BatchAnswer {
  readonly request_id: string;
  readonly model: string;
  readonly predictions: readonly (PredictionAnswer | FailedPrediction)[];
  readonly latency_ms: number;
}

export interface KeyAnswer {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly permissions: readonly Permission[];
  readonly tier: RateTier;
  readonly roles?: readonly ApproverRole[];
  readonly created_at?: string;
  readonly expires_at?: string | null;
  readonly revoked_at?: string | null;
}

export interface RestorePointAnswer {
  readonly name: string;
  readonly at: string;
  readonly lsn: string;
  readonly timeline: number;
  readonly targets: readonly string[];
}

export interface AuditAnswer {
  readonly at: string;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly reason: string | null;
}

export interface HealthAnswer {
  /** `ok`, `degraded` (a dependency is down), `starting` or `draining`. */
  readonly status: string;
  readonly reasons: readonly string[];
  readonly uptime_s: number;
  readonly memory_mb: number;
  readonly dependencies: Readonly<
    Record<string, { readonly status: string; readonly latency_ms: number; readonly message: string | null }>
  >;
  /** As the API process has them in memory: known even while the database is down. */
  readonly models: readonly {
    readonly model: string;
    readonly generation: number;
    readonly routes: readonly Route[];
  }[];
  readonly records: { readonly queued: number; readonly dropped: number };
}
