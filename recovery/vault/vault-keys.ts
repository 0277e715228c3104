import { readFile } from 'node:fs/promises';
import { DomainError } from '../../domain/errors.ts';
import { readIdentities, requireRecipients } from './keys.ts';
import { loadSigner, type Signer } from './sign-manifest.ts';

/** Who may open what this platform writes, and whose sets it opens itself. */
export interface VaultKeys {
  /** None: sets are written without encryption. */
  readonly recipients: readonly string[];
  /** Secret; needed to verify and to restore, not to back up. */
  readonly identities: readonly string[];
  readonly signer: Signer;
  /** Public keys of signers; `any` when a person restores from a target of a platform that is gone. */
  readonly trusted: readonly string[] | 'any';
}

export interface VaultKeySettings {
  readonly recipients: readonly string[];
  readonly identityFile: string | null;
  readonly signingKeyFile: string;
  readonly trustedSigners: readonly string[] | 'any';
}

/** @throws DomainError `invalidInput` that says which file or setting cannot be used */
export async function loadVaultKeys(settings: VaultKeySettings): Promise<VaultKeys> {
  const { recipients, identityFile, signingKeyFile, trustedSigners } = settings;
  requireRecipients(recipients);
  const identities = identityFile === null ? [] : readIdentities(await readIdentityFile(identityFile));
  const signer = await loadSigner(signingKeyFile);
  const trusted = trustedSigners === 'any' ? trustedSigners : [signer.publicKey, ...trustedSigners];
  return { recipients, identities, signer, trusted };
}

async function readIdentityFile(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new DomainError('invalidInput', 'The identity for backups cannot be read', [
      {
        field: 'SLUICE_BACKUP_IDENTITY_FILE',
        message: `${path} cannot be read (${code})`,
        allowed: ['a readable file'],
      },
    ]);
  });
}
