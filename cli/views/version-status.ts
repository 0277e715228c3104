import type { VersionSummary } from '../api/answers.ts';
import type { Style } from '../terminal/style.ts';

export function renderVersionStatus(status: VersionSummary['status'], style: Style): string {
  return { validating: style.cyan, accepted: style.green, rejected: style.red, quarantined: style.yellow }[status](
    status,
  );
}
