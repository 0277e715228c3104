import type { Problem } from '../errors.ts';
import { createJsonReader, isJsonObject, type Expected, type JsonReader } from '../json-reader.ts';
import type { Parsed } from '../workflow-input.ts';
import {
  COMPRESSIONS,
  isSetId,
  MANIFEST_FORMAT_VERSION,
  MANIFEST_KIND,
  SET_KINDS,
  type BackupManifest,
} from './manifest.ts';

const DIGEST = /^[0-9a-f]{64}$/;
/** Inside a set: no absolute path, no way up, no backslash. */
const FILE_NAME = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[\w.+@=-]+(?:\/[\w.+@=-]+)*$/;
const FILE_NAME_LENGTH_MAX = 500;
const LSN = /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/;

const anyText: Expected<string> = { words: 'a text', accepts: (v): v is string => typeof v === 'string' };
const matching = (words: string, fits: (text: string) => boolean): Expected<string> => ({
  words,
  accepts: (v): v is string => typeof v === 'string' && fits(v),
});
const digest = matching('a SHA-256 of 64 hex digits', (v) => DIGEST.test(v));
const time = matching('a time in ISO 8601', (v) => !Number.isNaN(Date.parse(v)));
const lsn = matching('an LSN such as 0/3000028', (v) => LSN.test(v));
const size: Expected<number> = {
  words: 'a number of bytes or rows',
  accepts: (v): v is number => typeof v === 'number' && Number.isSafeInteger(v) && v >= 0,
};
const one = <const T extends string>(names: readonly T[]): Expected<T> => ({
  words: 'one of the names',
  allowed: names,
  accepts: (v): v is T => names.some((name) => name === v),
});

/**
 * Checks what was read from a target: that it is a manifest, of a version this platform knows, with every part a
 * restore relies on. Fields it does not know are refused too: a newer writer would have raised the version.
 */
export function readManifest(raw: unknown): Parsed<BackupManifest> {
  if (!isJsonObject(raw) || raw.kind !== MANIFEST_KIND) {
    const allowed = ['a manifest.json that sluice backup wrote'];
    return { ok: false, problems: [{ field: 'kind', message: 'this is not the manifest of a backup set', allowed }] };
  }
  if (raw.formatVersion !== MANIFEST_FORMAT_VERSION) return { ok: false, problems: [otherVersion(raw)] };
  const problems: Problem[] = [];
  readFields(createJsonReader(raw, (problem) => problems.push(problem)));
  if (problems.length > 0) return { ok: false, problems };
  const manifest = raw as unknown as BackupManifest;
  const names = new Set(manifest.files.map((file) => file.name));
  if (names.size === manifest.files.length) return { ok: true, value: manifest };
  return { ok: false, problems: [{ field: 'files', message: 'a name is there twice' }] };
}

function otherVersion({ formatVersion, softwareVersion }: Readonly<Record<string, unknown>>): Problem {
  const newer = typeof formatVersion === 'number' && formatVersion > MANIFEST_FORMAT_VERSION;
  const by = typeof softwareVersion === 'string' ? ` by Sluice ${softwareVersion.slice(0, 40)}` : '';
  const message = newer
    ? `the set was written in format ${formatVersion}${by}; restore it with that version or a newer one`
    : 'the version of the format is not one that was ever written';
  return { field: 'formatVersion', message, allowed: [String(MANIFEST_FORMAT_VERSION)] };
}

function readFields(r: JsonReader): void {
  r.required('kind', anyText);
  r.required('formatVersion', size);
  r.required('setId', matching('the id of a set', isSetId));
  r.required('setKind', one(SET_KINDS));
  r.required('startedAt', time);
  r.required('finishedAt', time);
  for (const field of ['requestedBy', 'softwareVersion', 'schemaVersion', 'artefactGroup']) r.required(field, anyText);
  r.optional('label', anyText);
  r.required('compression', one(COMPRESSIONS));
  readPostgres(r);
  readRowCounts(r);
  each(r, 'files', (file) => {
    file.required(
      'name',
      matching('a relative path', (v) => v.length <= FILE_NAME_LENGTH_MAX && FILE_NAME.test(v)),
    );
    for (const field of ['bytes', 'storedBytes']) file.required(field, size);
    for (const field of ['sha256', 'storedSha256']) file.required(field, digest);
  });
  each(r, 'artefacts', (artefact) => {
    artefact.required('digest', digest);
    artefact.required('bytes', size);
  });
  for (const field of ['temporal', 'configuration']) requiredObject(r, field);
  readEncryption(r);
  each(r, 'golden', (golden) => {
    golden.required('model', anyText);
    golden.required('version', size);
    golden.required('artefactDigest', digest);
    requiredObject(golden, 'features');
    golden.required('probability', { words: 'a probability', accepts: (v): v is number => typeof v === 'number' });
  });
  r.finish();
}

function readPostgres(r: JsonReader): void {
  const postgres = requiredObject(r, 'postgres');
  if (postgres === undefined) return;
  postgres.required('major', size);
  postgres.required(
    'systemIdentifier',
    matching('a number as text', (v) => /^\d{1,20}$/.test(v)),
  );
  postgres.required('timeline', size);
  postgres.required('startLsn', lsn);
  postgres.required('endLsn', lsn);
  postgres.finish();
}

function readRowCounts(r: JsonReader): void {
  r.required('rowCounts', {
    words: 'rows by table',
    accepts: (v): v is Record<string, number> => isJsonObject(v) && Object.values(v).every((n) => size.accepts(n)),
  });
}

function readEncryption(r: JsonReader): void {
  const encryption = r.object('encryption');
  if (encryption === undefined) return;
  encryption.required('scheme', one(['aes-256-gcm-chunked-v1']));
  encryption.required('wrappedKey', anyText);
  encryption.required('recipients', {
    words: 'a list of age recipients',
    accepts: (v): v is readonly string[] => Array.isArray(v) && v.every((item) => typeof item === 'string'),
  });
}

function requiredObject(r: JsonReader, name: string): JsonReader | undefined {
  const found = r.object(name);
  if (found === undefined) r.required(name, { words: 'an object', accepts: isJsonObject });
  return found;
}

function each(r: JsonReader, name: string, read: (item: JsonReader) => void): void {
  const items = r.list(name);
  if (items === undefined) r.required(name, { words: 'a list', accepts: (v): v is unknown[] => Array.isArray(v) });
  for (const item of items ?? []) {
    read(item);
    item.finish();
  }
}
