import type { ModelDefinition } from '../../../domain/definition.ts';
import type { DataFinding } from '../../../domain/evaluation.ts';
import { grouped } from '../limits.ts';
import type { Target } from '../read-target.ts';
import { finding, percent } from './finding.ts';

/** Fewer rows cannot fill the folds and the held-out part. */
const ROWS_MIN = 100;
/** Below this, metrics move by several points from one held-out part to another. */
const ROWS_WARNING = 1000;
/** Rows of the rarer class: some in each of the folds and in the held-out part. */
const CLASS_ROWS_MIN = 20;
const CLASS_ROWS_PER_FOLD_MIN = 4;
/** Below this share, accuracy says little: the model that always says no is right more often than this. */
const RARE_SHARE = 0.05;

/** Class balance, blank targets and size. */
export function checkTarget(target: Target, definition: ModelDefinition): DataFinding[] {
  const { column } = definition.target;
  const rows = target.positives + target.negatives;
  const share = target.positives / rows;
  const rarer = Math.min(target.positives, target.negatives);
  const evidence = { rows, positives: target.positives, negatives: target.negatives, positiveShare: share };
  const balance = `${grouped(target.positives)} of ${grouped(rows)} rows (${percent(share)}) are "${target.positive}"`;
  const rare = rarer / rows < RARE_SHARE;
  const findings = [finding('balance', rare ? 'warning' : 'info', column, balance, evidence)];
  if (target.blank > 0) {
    const message = `${grouped(target.blank)} rows have no target and are left out`;
    findings.push(finding('missing', 'warning', column, message, { missing: target.blank }));
  }
  if (rows < ROWS_MIN) {
    const message = `${rows} rows with a target; at least ${ROWS_MIN} are needed`;
    findings.push(finding('size', 'error', null, message, { rows, rowsMin: ROWS_MIN }));
  } else if (rows < ROWS_WARNING) {
    const message = `${rows} rows; with fewer than ${grouped(ROWS_WARNING)} the metrics are rough`;
    findings.push(finding('size', 'warning', null, message, { rows, rowsAdvised: ROWS_WARNING }));
  }
  const needed = Math.max(CLASS_ROWS_MIN, CLASS_ROWS_PER_FOLD_MIN * definition.training.folds);
  if (rarer < needed) {
    const message = `${rarer} rows of the rarer class; at least ${needed} are needed for ${definition.training.folds} folds and a held-out part`;
    findings.push(finding('size', 'error', column, message, { rarerClass: rarer, rarerClassMin: needed }));
  }
  return findings;
}
