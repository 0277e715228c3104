import { DomainError } from '../../domain/errors.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { holdInAll, verifyAndMark } from '../../recovery/catalogue/keep-sets.ts';
import { holderOf, listSets, showSet, type ListedSet } from '../../recovery/catalogue/list-sets.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import { pruneSets } from '../../recovery/vault/prune-sets.ts';
import type { VaultTarget } from '../../recovery/vault/vault-target.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { openTargets } from './open-targets.ts';
import { requireOwner } from './require-owner.ts';
import type { BackupOptions } from './options.ts';
import { formatDuration, formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';

export { backUpNow } from './back-up-now.ts';
export { status } from './backup-status.ts';
export { drill } from './drill.ts';
export { point, points } from './restore-points.ts';

const signal = new AbortController().signal;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export async function list(session: Session, options: BackupOptions): Promise<undefined> {
  const sets = await listSets((await openTargets(options)).vaults);
  const { style, width } = session.terminal;
  const titles = ['set', 'target', 'kind', 'size', 'state', 'label'];
  const columns = titles.map((title) => ({ title, shrink: title === 'label' }));
  const rows = sets.map((set) => [
    set.setId,
    set.target,
    set.kind ?? '',
    megabytes(set.storedBytes),
    stateOf(set),
    set.label ?? '',
  ]);
  const lines = rows.length === 0 ? ['No backups yet: sluice backup now'] : renderTable(columns, rows, style, width);
  session.answer({ sets }, lines);
}

function stateOf({ problem, verifiedAt, hold }: ListedSet): string {
  if (problem !== null) return `unusable: ${problem}`;
  const state = verifiedAt === null ? 'not verified' : `verified ${formatTime(verifiedAt)}`;
  return hold === null ? state : `${state}, held`;
}

export async function show(session: Session, setId: string, options: BackupOptions): Promise<undefined> {
  const { manifest: set, target: name, restorable } = await showSet((await openTargets(options)).vaults, setId);
  const stored = set.files.reduce((sum, file) => sum + file.storedBytes, 0);
  session.answer(
    set,
    renderPairs(
      [
        ['set', set.setId],
        ['target', name],
        [
          'taken',
          `${formatTime(set.startedAt)}, in ${formatDuration(Date.parse(set.finishedAt) - Date.parse(set.startedAt))}`,
        ],
        ['asked for by', set.requestedBy],
        [
          'database',
          `PostgreSQL ${set.postgres.major}, ${set.setKind}, log ${set.postgres.startLsn} to ${set.postgres.endLsn}`,
        ],
        ['restores to', restoresTo(set, restorable)],
        ['files', `${set.files.length}, ${megabytes(stored)} stored (${set.compression})`],
        ['artefacts', String(set.artefacts.length)],
        ['models', set.golden.map((golden) => `${golden.model} ${golden.version}`).join(', ')],
        ['encrypted for', set.encryption?.recipients.join(', ') ?? 'nobody: plain'],
      ],
      session.terminal.style,
    ),
  );
}

/** How far a set reaches, in words. */
function restoresTo({ setKind, finishedAt }: BackupManifest, window: ListedSet['restorable']): string {
  if (setKind === 'logical')
    return `${finishedAt}, this moment only: it is a copy of rows, on which no log can be replayed`;
  return window === null ? finishedAt : `${window.from} to ${window.to}, with the log that is in the target`;
}

export async function verify(session: Session, wanted: string | null, options: BackupOptions): Promise<ExitCode> {
  const { vaults } = await openTargets(options);
  const setId = wanted ?? (await newestSet(vaults[0].vault));
  const found = await verifyAndMark(await holderOf(vaults, setId), setId, { signal, nowMs: Date.now });
  const { style } = session.terminal;
  const seen = found.contentChecked ? 'content and all' : 'as stored: the identity to open it is not at hand';
  const lines =
    found.problems.length === 0
      ? [
          style.green(
            `${setId} is whole: ${found.files} files, ${found.artefacts} artefacts, ${megabytes(found.bytesRead)} read, ${seen}`,
          ),
          ...(found.setKind === 'logical' ? ['  a logical copy: it restores to its own moment only'] : []),
        ]
      : [style.red(`${setId} is damaged`), ...found.problems.map(({ field, message }) => `  ${field}: ${message}`)];
  session.answer(found, lines);
  return found.problems.length === 0 ? EXIT.ok : EXIT.refused;
}

async function newestSet(vault: VaultTarget): Promise<string> {
  const newest = (await vault.find()).at(-1);
  if (newest !== undefined) return newest.setId;
  throw new DomainError('notFound', `${vault.address} holds no backup set`);
}

export async function prune(session: Session, options: BackupOptions): Promise<undefined> {
  const reports = [];
  const { vaults, config } = await openTargets(options);
  const { retention: policy } = config.backup;
  if (config.region !== null && options.dryRun !== true) await requireOwner(config.region, config.home, vaults);
  for (const { name, vault } of vaults) {
    const report = await pruneSets(vault, { policy, nowMs: Date.now(), dryRun: options.dryRun === true, signal });
    reports.push({ target: name, ...report });
  }
  const verb = options.dryRun === true ? 'would go' : 'went';
  const lines = reports.flatMap(({ target, removedSets, removedArtefacts, removedWal, plan, notes }) => [
    `${target}: ${removedSets.length} sets, ${removedArtefacts} artefacts and ${removedWal} pieces of the log ${verb}; ${plan.keep.length} sets stay`,
    ...removedSets.map((setId) => `  ${setId}`),
    ...notes.map((note) => `  ${note}`),
  ]);
  session.answer({ targets: reports }, lines);
}

export async function hold(
  session: Session,
  setId: string,
  reason: string | null,
  options: BackupOptions,
): Promise<undefined> {
  const targets = await holdInAll((await openTargets(options)).vaults, setId, reason);
  const where = `in ${targets.join(', ')}`;
  session.answer({ set: setId, hold: reason, targets }, [
    reason === null ? `${setId} is not held any more ${where}` : `${setId} is held ${where}: ${reason}`,
  ]);
}

export async function keygen(session: Session): Promise<undefined> {
  const { identity, recipient } = await newIdentity();
  session.answer({ identity, recipient }, [
    `# SLUICE_BACKUP_RECIPIENTS=${recipient}`,
    '# The next line is secret, and the only way to open what is encrypted for it: keep it away from this machine.',
    identity,
  ]);
}
