import { DomainError } from '../../domain/errors.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import { holdSet, markVerified } from '../../recovery/vault/mark-set.ts';
import { pruneSets } from '../../recovery/vault/prune-sets.ts';
import type { FoundSet, VaultTarget } from '../../recovery/vault/vault-target.ts';
import { verifySet } from '../../recovery/vault/verify-set.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { openTargets } from './open-targets.ts';
import type { BackupOptions } from './options.ts';
import { formatDuration, formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';

export { backUpNow } from './back-up-now.ts';
export { status } from './backup-status.ts';

const signal = new AbortController().signal;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export async function list(session: Session, options: BackupOptions): Promise<undefined> {
  const opened = await openTargets(options);
  const found = await Promise.all(
    opened.map(async ({ name, vault }) => (await vault.find()).map((set) => ({ target: name, ...set }))),
  );
  const sets = found.flat().sort((a, b) => (a.setId < b.setId ? 1 : -1));
  const { style, width } = session.terminal;
  const columns = ['set', 'target', 'kind', 'size', 'state', 'label'].map((title) => ({
    title,
    shrink: title === 'label',
  }));
  const rows = sets.map((set) => [
    set.setId,
    set.target,
    set.manifest?.setKind ?? '',
    megabytes(set.storedBytes),
    stateOf(set),
    set.manifest?.label ?? '',
  ]);
  const lines = rows.length === 0 ? ['No backups yet: sluice backup now'] : renderTable(columns, rows, style, width);
  session.answer(
    {
      sets: sets.map(({ manifest, problem, ...rest }) => ({
        ...rest,
        kind: manifest?.setKind ?? null,
        label: manifest?.label ?? null,
        problem: problem?.message ?? null,
      })),
    },
    lines,
  );
}

function stateOf({ problem, verifiedAt, hold }: FoundSet): string {
  if (problem !== null) return `unusable: ${problem.message}`;
  const state = verifiedAt === null ? 'not verified' : `verified ${formatTime(verifiedAt)}`;
  return hold === null ? state : `${state}, held`;
}

export async function show(session: Session, setId: string, options: BackupOptions): Promise<undefined> {
  const [{ vault, name }] = await openTargets(options);
  const set = await vault.manifest(setId);
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
        ['restores to', restoresTo(set)],
        ['files', `${set.files.length}, ${megabytes(stored)} stored (${set.compression})`],
        ['artefacts', String(set.artefacts.length)],
        ['models', set.golden.map((golden) => `${golden.model} ${golden.version}`).join(', ')],
        ['encrypted for', set.encryption?.recipients.join(', ') ?? 'nobody: plain'],
      ],
      session.terminal.style,
    ),
  );
}

/** How far a set reaches by itself, in words. */
function restoresTo({ setKind, finishedAt }: Pick<BackupManifest, 'setKind' | 'finishedAt'>): string {
  return setKind === 'logical'
    ? `${finishedAt}, this moment only: it is a copy of rows, on which no log can be replayed`
    : `${finishedAt}, and any later moment up to which its log is in the target`;
}

export async function verify(session: Session, wanted: string | null, options: BackupOptions): Promise<ExitCode> {
  const [{ vault, keys }] = await openTargets(options);
  const setId = wanted ?? (await newestSet(vault));
  const found = await verifySet(vault, setId, { keys, signal });
  if (found.problems.length === 0) {
    const { bytesRead, contentChecked } = found;
    await markVerified(vault.store, setId, Date.now(), { bytesRead, contentChecked });
  }
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
  for (const { name, vault, config } of await openTargets(options)) {
    const { retention: policy } = config.backup;
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
  const [{ vault }] = await openTargets(options);
  // Of a set that is there.
  await vault.manifest(setId);
  await holdSet(vault.store, setId, reason);
  session.answer({ set: setId, hold: reason }, [
    reason === null ? `${setId} is not held any more` : `${setId} is held: ${reason}`,
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
