import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import { isJsonObject } from '../../domain/json-reader.ts';
import type { BackupManifest, SignedManifest } from '../../domain/recovery/manifest.ts';
import { readManifest } from '../../domain/recovery/read-manifest.ts';

/** A manifest of 100,000 artefacts takes some 10 MB. */
export const MANIFEST_BYTES_MAX = 256 * 1024 * 1024;
const FILE_MODE = 0o600;

export interface Signer {
  /** Base64 of the 32-byte public key: how people tell signers apart. */
  readonly publicKey: string;
  readonly sign: (bytes: Uint8Array) => Buffer;
}

/** The platform's signing key, made at its first backup. @throws DomainError `invalidInput` when the file is no key */
export async function loadSigner(path: string): Promise<Signer> {
  const pem = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  });
  return signerOf(pem === null ? await makeKey(path) : readKey(pem));
}

function signerOf(key: KeyObject): Signer {
  const { x } = createPublicKey(key).export({ format: 'jwk' });
  const publicKey = Buffer.from(x ?? '', 'base64url').toString('base64');
  return { publicKey, sign: (bytes) => sign(null, bytes, key) };
}

async function makeKey(path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519');
  await mkdir(dirname(path), { recursive: true });
  try {
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(path, pem, { flag: 'wx', mode: FILE_MODE });
    return privateKey;
  } catch (error) {
    // Another process was faster: its key is the one.
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      return readKey(await readFile(path, 'utf8'));
    throw error;
  }
}

function readKey(pem: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below; the reason might quote the key.
  }
  throw new DomainError('invalidInput', 'The signing key of backups cannot be used', [
    { field: 'SLUICE_BACKUP_SIGNING_KEY_FILE', message: 'is no Ed25519 key', allowed: ['PEM (PKCS #8)'] },
  ]);
}

export function signManifest(manifest: BackupManifest, signer: Signer): Buffer {
  const bytes = Buffer.from(JSON.stringify(manifest));
  const signed: SignedManifest = {
    manifest: bytes.toString('base64'),
    signature: signer.sign(bytes).toString('base64'),
    signer: signer.publicKey,
  };
  return Buffer.from(`${JSON.stringify(signed, null, 1)}\n`);
}

/**
 * Reads a manifest after its signature was found right, and its signer one that is trusted. `trusted`: base64 public
 * keys; `any`: the signature only shows that nothing was changed by accident.
 * @throws DomainError `artefactCorrupt` (damaged), `forbidden` (another signer), `refused` (foreign or newer)
 */
export function openManifest(
  bytes: Uint8Array,
  where: string,
  trusted: readonly string[] | 'any',
): { readonly manifest: BackupManifest; readonly signer: string } {
  const signed = parseJson(bytes, where);
  if (!isJsonObject(signed) || !['manifest', 'signature', 'signer'].every((name) => typeof signed[name] === 'string')) {
    throw refused(where, 'this is not the manifest of a backup set', ['a manifest.json that sluice backup wrote']);
  }
  const { manifest, signature, signer } = signed as unknown as SignedManifest;
  const content = Buffer.from(manifest, 'base64');
  if (!isSignedBy(content, signature, signer)) {
    throw new DomainError('artefactCorrupt', `${where} is damaged: its signature does not fit`, [
      { field: where, message: 'the signature does not fit the content' },
    ]);
  }
  if (trusted !== 'any' && !trusted.includes(signer)) {
    throw new DomainError('forbidden', `${where} was signed by ${signer}, whom this platform does not trust`, [
      { field: 'SLUICE_BACKUP_TRUSTED_SIGNERS', message: `does not name ${signer}`, allowed: [...trusted] },
    ]);
  }
  const read = readManifest(parseJson(content, where));
  if (!read.ok) throw new DomainError('refused', `${where} cannot be used`, read.problems);
  return { manifest: read.value, signer };
}

function isSignedBy(content: Buffer, signature: string, signer: string): boolean {
  try {
    const x = Buffer.from(signer, 'base64').toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verify(null, content, key, Buffer.from(signature, 'base64'));
  } catch {
    return false;
  }
}

function parseJson(bytes: Uint8Array, where: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    throw refused(where, 'this is no JSON', ['a manifest.json that sluice backup wrote']);
  }
}

function refused(where: string, message: string, allowed: readonly string[]): DomainError {
  return new DomainError('refused', `${where} cannot be used: ${message}`, [{ field: where, message, allowed }]);
}
