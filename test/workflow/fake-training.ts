import type { TrainActivities, TrainedCandidate, ValidateActivities } from '../../activities/contract.ts';
import type { DataReport, Evaluation } from '../../domain/evaluation.ts';
import { answering } from './fake-rollout.ts';

const evaluation: Evaluation = {
  auc: 0.85,
  prAuc: 0.66,
  logLoss: 0.41,
  accuracy: 0.81,
  brier: 0.13,
  ece: 0.02,
  rows: 200,
  positives: 60,
  threshold: 0.5,
  confusion: { truePositive: 40, falsePositive: 20, trueNegative: 120, falseNegative: 20 },
};

const candidate: TrainedCandidate = {
  algorithm: 'spline-logistic',
  parameters: { ridge: 1 },
  crossValidation: { 'spline-logistic': 0.42 },
  evaluation,
  artefactDigest: 'a'.repeat(64),
  manifestDigest: 'b'.repeat(64),
  notes: ['gradient-boosting was left out'],
};

const report: DataReport = { rows: 1_000, columns: 5, positives: 300, findings: [], ok: true };

/** Training without training: every call is kept, every one can be made to fail. */
export function createFakeTraining(options: { passed?: boolean; report?: DataReport } = {}) {
  const calls: string[] = [];
  const inputs = new Map<string, unknown>();
  const faults = new Map<string, () => Error>();
  const settled: string[] = [];
  const enter = (name: string, input: unknown): void => {
    calls.push(name);
    inputs.set(name, input);
    const fault = faults.get(name);
    if (fault !== undefined) throw fault();
  };
  const passed = options.passed ?? true;
  const activities = answering<TrainActivities & ValidateActivities>({
    planTraining: (input) => {
      enter('planTraining', input);
      const { seed = 7, algorithms = ['spline-logistic', 'gradient-boosting'] } = input;
      return { definitionDigest: 'd'.repeat(64), dataSource: '/data/prices.csv', algorithms, seed };
    },
    snapshotData: (input) => {
      enter('snapshotData', input);
      return { digest: 'c'.repeat(64), bytes: 12_345 };
    },
    checkData: (input) => {
      enter('checkData', input);
      return options.report ?? report;
    },
    train: (input) => {
      enter('train', input);
      return candidate;
    },
    registerVersion: (input) => {
      enter('registerVersion', input);
      return { version: 3 };
    },
    checkGates: (input) => {
      enter('checkGates', input);
      return { passed, gates: [{ gate: 'quality.auc', passed, message: 'auc is 0.85', evidence: { value: 0.85 } }] };
    },
    settleVersion: (input) => {
      enter('settleVersion', input);
      settled.push(input.status);
    },
  });
  return {
    activities,
    calls,
    settled,
    input: (name: string) => inputs.get(name),
    fail: (name: string, fault: () => Error) => faults.set(name, fault),
  };
}
