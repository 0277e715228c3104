import { readConfig, type Config } from '../../adapters/config.ts';
import { openObjectStore } from '../../adapters/object-stores/open-object-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { setTimeMs } from '../../domain/recovery/manifest.ts';
import { DEFAULT_OBJECTIVES } from '../../domain/recovery/objectives.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import { holdSet, markVerified } from '../../recovery/vault/mark-set.ts';
import { pruneSets } from '../../recovery/vault/prune-sets.ts';
import { loadVaultKeys, type VaultKeys } from '../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type FoundSet, type VaultTarget } from '../../recovery/vault/vault-target.ts';
import { verifySet } from '../../recovery/vault/verify-set.ts';
import type { BackupOptions } from '../commands/backup.ts';
import { EXIT, UsageError, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { formatDuration, formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';

export { backUpNow } from './back-up-now.ts';

interface Opened {
  readonly name: string;
  readonly vault: VaultTarget;
  readonly keys: VaultKeys;
  readonly config: Config;
}

/** Every configured target, or the one that is named. */
async function openTargets({ target: wanted }: BackupOptions): Promise<readonly [Opened, ...Opened[]]> {
  const config = readConfig();
  const { targets, credentials, keys: settings } = config.backup;
  const keys = await loadVaultKeys(settings);
  const chosen = targets.filter((target) => wanted === undefined || target.name === wanted);
  const opened = await Promise.all(
    chosen.map(async (target) => {
      const vault = createVaultTarget(await openObjectStore(target, credentials), keys);
      return { name: target.name, vault, keys, config };
    }),
  );
  const [first, ...rest] = opened;
  if (first !== undefined) return [first, ...rest];
  throw new UsageError('There is no such backup target', [
    { field: '--target', message: 'is not configured', allowed: targets.map((target) => target.name) },
  ]);
}

const signal = new AbortController().signal;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export async function list(session: Session, options: BackupOptions): Promise<undefined> {
  const opened = await openTargets(options);
  const found = await Promise.all(
    opened.map(async ({ name, vault }) => (await vault.find()).map((set) => ({ target: name, ...set }))),
  );
  const sets = found.flat().sort((a, b) => (a.setId < b.setId ? 1 : -1));
  const { style, width } = session.terminal;
  const columns = ['set', 'target', 'size', 'state', 'label'].map((title) => ({ title, shrink: title === 'label' }));
  const rows = sets.map((set) => [
    set.setId,
    set.target,
    megabytes(set.storedBytes),
    stateOf(set),
    set.manifest?.label ?? '',
  ]);
  const lines = rows.length === 0 ? ['No backups yet: sluice backup now'] : renderTable(columns, rows, style, width);
  session.answer(
    {
      sets: sets.map(({ manifest, problem, ...rest }) => ({
        ...rest,
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
        ['files', `${set.files.length}, ${megabytes(stored)} stored (${set.compression})`],
        ['artefacts', String(set.artefacts.length)],
        ['models', set.golden.map((golden) => `${golden.model} ${golden.version}`).join(', ')],
        ['encrypted for', set.encryption?.recipients.join(', ') ?? 'nobody: plain'],
      ],
      session.terminal.style,
    ),
  );
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

export async function status(session: Session): Promise<ExitCode> {
  const states = [];
  for (const { name, vault } of await openTargets({})) {
    const state = await vault.find().then(
      (sets) => {
        const newest = sets.filter((set) => set.verifiedAt !== null && set.manifest !== null).at(-1);
        const ageMs = newest === undefined ? null : Date.now() - setTimeMs(newest.setId);
        return { sets: sets.length, newestVerified: newest?.setId ?? null, ageMs, problem: null };
      },
      (error: unknown) => ({
        sets: 0,
        newestVerified: null,
        ageMs: null,
        problem: error instanceof Error ? error.message : String(error),
      }),
    );
    const met = state.ageMs !== null && state.ageMs <= DEFAULT_OBJECTIVES.setAgeMaxMs;
    states.push({ target: name, address: vault.address, ...state, met });
  }
  const { style } = session.terminal;
  const lines = states.map(({ target, address, sets, newestVerified, ageMs, problem, met }) => {
    const age =
      ageMs === null ? 'no verified set' : `newest verified set ${formatDuration(ageMs)} old (${newestVerified ?? ''})`;
    const text = `${target} (${address}): ${problem ?? `${sets} sets, ${age}`}`;
    return met ? style.green(text) : style.red(text);
  });
  session.answer({ targets: states }, lines);
  return states.every((state) => state.met) ? EXIT.ok : EXIT.refused;
}

export async function keygen(session: Session): Promise<undefined> {
  const { identity, recipient } = await newIdentity();
  session.answer({ identity, recipient }, [
    `# SLUICE_BACKUP_RECIPIENTS=${recipient}`,
    '# The next line is secret, and the only way to open what is encrypted for it: keep it away from this machine.',
    identity,
  ]);
}
