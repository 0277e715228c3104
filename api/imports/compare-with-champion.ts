import type { Registry, VersionRow } from '../../db/ports.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import { warning } from '../../models/doctor/finding.ts';
import type { Finding } from '../../models/doctor/finding.ts';

/** Names listed in one finding. */
const NAMES_MAX = 10;

/**
 * A version that takes other features than the champion refuses the rows of today's clients: in a rollout a part of
 * them would be answered with an error.
 */
export async function compareWithChampion(
  versions: Pick<Registry['versions'], 'aliases' | 'find'>,
  row: VersionRow,
): Promise<readonly Finding[]> {
  const { champion } = await versions.aliases(row.model);
  if (champion === undefined || champion === row.version) return [];
  const serving = await versions.find(row.model, champion);
  if (serving === null) return [];
  const before = serving.signature.features;
  const now = row.signature.features;
  const findings: Finding[] = [];
  const gone = namesMissing(before, now);
  if (gone !== '') findings.push(warning('signature', `Features of the champion that this version refuses: ${gone}`));
  const added = namesMissing(
    now.filter((f) => f.missing === 'reject'),
    before,
  );
  if (added !== '') findings.push(warning('signature', `Features that today's clients do not send: ${added}`));
  return findings;
}

function namesMissing(wanted: readonly FeatureSpec[], given: readonly FeatureSpec[]): string {
  const names = new Set(given.map((f) => f.name));
  const missing = wanted.filter((f) => !names.has(f.name)).map((f) => f.name);
  const more = missing.length > NAMES_MAX ? ` and ${missing.length - NAMES_MAX} more` : '';
  return `${missing.slice(0, NAMES_MAX).join(', ')}${more}`;
}
