import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { link, mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '../../domain/errors.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Leads what is sealed, so that another scheme can follow. */
const SCHEME = 's1.';

/** Keeps secrets in the database unreadable without the installation's key. */
export interface Sealer {
  seal(text: string): Promise<string>;
  /** @throws DomainError `refused` when it was sealed with another key, or changed since */
  open(sealed: string): Promise<string>;
}

/** AES-256-GCM with a key that `readKey` brings; it is read at the first use. */
export function createSealer(readKey: () => Promise<Buffer>): Sealer {
  let reading: Promise<Buffer> | null = null;
  const key = async (): Promise<Buffer> => {
    try {
      return await (reading ??= readKey());
    } catch (error) {
      reading = null;
      throw error;
    }
  };
  return {
    seal: async (text) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', await key(), nonce);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return SCHEME + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    open: async (sealed) => {
      const bytes = Buffer.from(sealed.slice(SCHEME.length), 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', await key(), bytes.subarray(0, NONCE_BYTES));
      try {
        decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
        const body = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([body, decipher.final()]).toString('utf8');
      } catch {
        throw new DomainError('refused', 'This was sealed with another key: make the webhook again');
      }
    },
  };
}

/**
 * The installation's key: from the configuration (base64, 32 bytes) when one is given, else a file for its owner alone,
 * made by the first process that needs it.
 */
export async function readSealingKey(given: string | null, path: string): Promise<Buffer> {
  const text = given ?? (await readFile(path, 'utf8').catch(() => makeKeyFile(path)));
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length === KEY_BYTES) return key;
  throw new DomainError('invalidInput', `The sealing key is not ${KEY_BYTES} bytes in base64`);
}

/** Whole or absent; of several processes that make it at once, one wins and the others read its key. */
async function makeKeyFile(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  await writeFile(temporary, `${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600 });
  await link(temporary, path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  });
  await unlink(temporary);
  return readFile(path, 'utf8');
}
