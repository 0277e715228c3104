/** Who can open a backup: recipients of age (https://age-encryption.org/v1) and their identities. */
import { createHash, randomBytes } from 'node:crypto';
import { Decrypter, Encrypter, generateIdentity, identityToRecipient } from 'age-encryption';
import { DomainError } from '../../domain/errors.ts';
import { KEY_BYTES } from './seal.ts';

const RECIPIENT = /^age1[0-9a-z]{58}$/;
const IDENTITY = /^AGE-SECRET-KEY-1[0-9A-Z]{58}$/;
const RECIPIENTS_MAX = 20;

/** A set's random key, wrapped for everybody who may restore. The plain key is never stored. */
export interface WrappedKey {
  readonly key: Buffer;
  /** One age file, base64. */
  readonly wrapped: string;
}

/** A new identity and the recipient that belongs to it. */
export async function newIdentity(): Promise<{ readonly identity: string; readonly recipient: string }> {
  const identity = await generateIdentity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** @throws DomainError `invalidInput` that names each wrong one */
export function requireRecipients(recipients: readonly string[]): void {
  const wrong = recipients.filter((one) => !RECIPIENT.test(one));
  const problems = wrong.map((one) => ({
    field: 'SLUICE_BACKUP_RECIPIENTS',
    // An identity given here by mistake is a secret.
    message: one.startsWith('AGE-SECRET') ? 'holds a secret identity' : `"${one.slice(0, 80)}" is no age recipient`,
    allowed: ['age1..., as `sluice backup keygen` or `age-keygen` prints it'],
  }));
  if (recipients.length > RECIPIENTS_MAX) {
    problems.push({ field: 'SLUICE_BACKUP_RECIPIENTS', message: 'are too many', allowed: [`1..${RECIPIENTS_MAX}`] });
  }
  if (problems.length > 0) throw new DomainError('invalidInput', 'The recipients of backups cannot be used', problems);
}

export async function newWrappedKey(recipients: readonly string[]): Promise<WrappedKey> {
  const key = randomBytes(KEY_BYTES);
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  return { key, wrapped: Buffer.from(await encrypter.encrypt(key)).toString('base64') };
}

/** Lines of an identity file as `age-keygen` writes it; comments and blank lines are passed over. */
export function readIdentities(text: string): readonly string[] {
  const lines = text.split('\n').map((line) => line.trim());
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (identities.length > 0 && identities.every((line) => IDENTITY.test(line))) return identities;
  throw new DomainError('invalidInput', 'The identity for backups cannot be used', [
    {
      field: 'SLUICE_BACKUP_IDENTITY_FILE',
      message: 'holds no age identity, or a line that is none',
      allowed: ['lines that begin with AGE-SECRET-KEY-1'],
    },
  ]);
}

/**
 * @throws DomainError `refused` when none of the identities is one it was wrapped for. A lost identity is a lost
 * backup: there is no other way in.
 */
export async function unwrapKey(
  wrapped: string,
  identities: readonly string[],
  recipients: readonly string[],
): Promise<Buffer> {
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    const key = Buffer.from(await decrypter.decrypt(Buffer.from(wrapped, 'base64')));
    if (key.byteLength === KEY_BYTES) return key;
  } catch {
    // Said below; the reasons of the library name no recipient.
  }
  const given = await Promise.all(identities.map((identity) => identityToRecipient(identity)));
  const have = given.length === 0 ? 'no identity is given' : `the given identity belongs to ${given.join(', ')}`;
  throw new DomainError('refused', `The backup cannot be decrypted: ${have}`, [
    {
      field: 'SLUICE_BACKUP_IDENTITY_FILE',
      message: 'none of its identities opens this backup; without one of them it cannot be read by anybody',
      allowed: recipients.map((recipient) => `the identity of ${recipient}`),
    },
  ]);
}

/** Folder of artefacts: those that the same recipients can open are shared among sets. */
export function recipientGroup(recipients: readonly string[]): string {
  if (recipients.length === 0) return 'plain';
  const sorted = [...new Set(recipients)].sort().join('\n');
  return createHash('sha256').update(sorted).digest('hex').slice(0, 16);
}
