import { DomainError, type Problem } from '../../domain/errors.ts';
import { artefactKey, setFileKey } from '../../domain/recovery/layout.ts';
import type { BackupManifest, SetFile, SetKind } from '../../domain/recovery/manifest.ts';
import { checkWalChain } from './check-wal-chain.ts';
import { counted, type Counted } from './file-content.ts';
import { paced } from './pace.ts';
import { openArtefact, type VaultTarget } from './vault-target.ts';
import type { VaultKeys } from './vault-keys.ts';

export interface VerifyOptions {
  readonly keys: Pick<VaultKeys, 'identities'>;
  readonly signal: AbortSignal;
  /** Content read a second at most; default as fast as it goes. */
  readonly rateMaxBytes?: number | undefined;
  /** Bytes read so far. */
  readonly onProgress?: (bytes: number) => void;
}

export interface Verification {
  readonly setId: string;
  /** A logical set restores to its own moment only. */
  readonly setKind: SetKind;
  readonly target: string;
  /** Empty: nothing is wrong. Each names its file or artefact. */
  readonly problems: readonly Problem[];
  readonly files: number;
  readonly artefacts: number;
  readonly bytesRead: number;
  /** Whether content was seen, and not only what lies in the target: needs an identity for a sealed set. */
  readonly contentChecked: boolean;
  /** LSN up to which the log follows on the set without a gap; `null`: no log is there. */
  readonly walUntil: string | null;
}

/**
 * Reads every byte of a set: each file against the manifest as stored and as content, each artefact it names against
 * its digest, the log after it for gaps. Goes on after the first fault, so that all are named.
 * @throws DomainError only when the target cannot be read at all, or the manifest is not one to trust
 */
export async function verifySet(target: VaultTarget, setId: string, options: VerifyOptions): Promise<Verification> {
  const set = await target.manifest(setId);
  const contentChecked = set.encryption === null || options.keys.identities.length > 0;
  const problems: Problem[] = [];
  let bytesRead = 0;
  const note = (counted: number): void => {
    bytesRead += counted;
    options.onProgress?.(bytesRead);
  };
  for (const file of set.files) {
    options.signal.throwIfAborted();
    await collectProblem(file.name, problems, async () => {
      const check = contentChecked ? checkFile : checkStored;
      note(await check(target, set, file, options));
    });
  }
  for (const { digest, bytes } of set.artefacts) {
    options.signal.throwIfAborted();
    const name = `artefact ${digest}`;
    await collectProblem(name, problems, async () => {
      const { content } = await target.store.get(artefactKey(set.artefactGroup, digest), { signal: options.signal });
      const found = contentChecked
        ? await drained(openArtefact(content, digest, set, options.keys))
        : await drained(content);
      if (contentChecked && found.bytes !== bytes) throw wrong(name, `${found.bytes} bytes instead of ${bytes}`);
      note(found.bytes);
    });
  }
  const wal = await checkWalChain(target, set, contentChecked, options.signal);
  problems.push(...wal.problems);
  return {
    setId,
    setKind: set.setKind,
    target: target.address,
    problems,
    files: set.files.length,
    artefacts: set.artefacts.length,
    bytesRead,
    contentChecked,
    walUntil: wal.until,
  };
}

/** Content and stored bytes in one reading. Only of a damaged file the stored bytes are read to their end once more. */
async function checkFile(
  target: VaultTarget,
  set: BackupManifest,
  file: SetFile,
  options: VerifyOptions,
): Promise<number> {
  const { signal, rateMaxBytes } = options;
  const seen: { stored: Counted | null } = { stored: null };
  try {
    const content = await target.readFile(set, file, signal, (stored) => (seen.stored = stored));
    await drained(rateMaxBytes === undefined ? content : paced(content, rateMaxBytes, signal));
  } catch (error) {
    if (error instanceof DomainError && error.code === 'artefactCorrupt') await checkStored(target, set, file, options);
    throw error;
  }
  return requireStored(file, seen.stored ?? { bytes: 0, sha256: '' });
}

/** The bytes in the target are those that were written. */
async function checkStored(
  { store }: VaultTarget,
  set: BackupManifest,
  file: SetFile,
  { signal }: Pick<VerifyOptions, 'signal'>,
): Promise<number> {
  const { content } = await store.get(setFileKey(set.setId, file.name), { signal });
  return requireStored(file, await drained(content));
}

function requireStored(file: SetFile, found: Counted): number {
  if (found.bytes !== file.storedBytes) {
    throw wrong(file.name, `${found.bytes} bytes lie in the target instead of ${file.storedBytes}`);
  }
  if (found.sha256 !== file.storedSha256) throw wrong(file.name, `its bytes were changed (digest ${found.sha256})`);
  return found.bytes;
}

async function drained(content: AsyncIterable<Uint8Array>): Promise<Counted> {
  const seen: { end: Counted } = { end: { bytes: 0, sha256: '' } };
  const reading = counted(content, (end) => (seen.end = end))[Symbol.asyncIterator]();
  while ((await reading.next()).done !== true);
  return seen.end;
}

/** A file that is missing or damaged is a finding; a target that is away is not. */
async function collectProblem(name: string, problems: Problem[], check: () => Promise<void>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (!(error instanceof DomainError) || error.code === 'unavailable' || error.code === 'forbidden') throw error;
    const message = error.code === 'notFound' ? 'is not in the target' : error.message;
    problems.push({ field: name, message });
  }
}

function wrong(name: string, why: string): DomainError {
  return new DomainError('artefactCorrupt', `${name}: ${why}`);
}
