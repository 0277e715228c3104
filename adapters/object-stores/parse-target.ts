import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DomainError, type Problem } from '../../domain/errors.ts';

/** Where backups go, as it was written in the configuration. */
export type BackupTarget = {
  /** How people and metrics call it. */
  readonly name: string;
  /** Sets, artefacts and log in the store stay locked so long, days; `null`: no lock is asked for. */
  readonly lockDays: number | null;
} & (
  | { readonly kind: 'folder'; readonly dir: string }
  | {
      readonly kind: 's3';
      readonly bucket: string;
      readonly prefix: string;
      readonly region: string;
      readonly endpoint: string | null;
      readonly conditionalPut: boolean;
    }
  | { readonly kind: 'gcs'; readonly bucket: string; readonly prefix: string; readonly endpoint: string | null }
  | {
      readonly kind: 'azure';
      readonly account: string;
      readonly container: string;
      readonly prefix: string;
      readonly endpoint: string | null;
    }
);

const FORMS = [
  '/an/absolute/folder',
  's3://bucket/prefix?region=eu-central-1',
  's3://bucket/prefix?endpoint=https://minio.example:9000',
  'gs://bucket/prefix',
  'azure://account/container/prefix',
];
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$/;
const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;
const LOCK_DAYS_MAX = 3_650;
const TARGETS_MAX = 8;
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  's3:': ['name', 'lock-days', 'endpoint', 'region', 'conditional'],
  'gs:': ['name', 'lock-days', 'endpoint'],
  'azure:': ['name', 'lock-days', 'endpoint'],
  'file:': ['name'],
};

/**
 * Reads a list of targets, separated by blanks or commas. The first is the primary one.
 * @throws DomainError `invalidInput` with every problem; no address in it holds a secret, as none has a place for one
 */
export function parseTargets(text: string, region: string | null): readonly BackupTarget[] {
  const problems: Problem[] = [];
  const report = (message: string, allowed: readonly string[] = FORMS): void =>
    void problems.push({ field: 'SLUICE_BACKUP_TARGETS', message, allowed });
  const written = text.split(/[\s,]+/).filter((part) => part !== '');
  if (written.length > TARGETS_MAX) report(`names ${written.length} targets`, [`1..${TARGETS_MAX} targets`]);
  const targets = written.flatMap((one) => readTarget(one, region, report) ?? []);
  const names = targets.map((target) => target.name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) report(`two targets are called ${twice}`, ['?name=... tells them apart']);
  if (problems.length > 0) throw new DomainError('invalidInput', 'The backup targets cannot be used', problems);
  return targets;
}

type Report = (message: string, allowed?: readonly string[]) => void;

function readTarget(text: string, region: string | null, report: Report): BackupTarget | null {
  if (isAbsolute(text)) return { kind: 'folder', name: 'folder', dir: resolve(text), lockDays: null };
  const url = URL.canParse(text) ? new URL(text) : null;
  const settings = url === null ? undefined : SETTINGS[url.protocol];
  if (url === null || settings === undefined) {
    report(`${withoutSecrets(text)} is not a target`);
    return null;
  }
  if (url.username !== '' || url.password !== '') {
    report(`${withoutSecrets(text)} holds credentials`, [
      'credentials in their own variables, see docs/guide/backup.md',
    ]);
    return null;
  }
  const unknown = [...url.searchParams.keys()].filter((name) => !settings.includes(name));
  if (unknown.length > 0) report(`${unknown.join(', ')} is no setting of ${url.protocol}//`, settings);
  const shared = readShared(url, report);
  if (url.protocol === 'file:') return { kind: 'folder', dir: fileURLToPath(`file://${url.pathname}`), ...shared };
  return readBucket(url, region, shared, report);
}

function readShared(url: URL, report: Report): { readonly name: string; readonly lockDays: number | null } {
  const name = url.searchParams.get('name') ?? (url.protocol === 'file:' ? 'folder' : url.protocol.slice(0, -1));
  if (!NAME.test(name)) report(`${name} is no name for a target`, ['a-z, 0-9 and -, at most 40']);
  const days = url.searchParams.get('lock-days');
  if (days === null) return { name, lockDays: null };
  const lockDays = Number(days);
  if (!Number.isInteger(lockDays) || lockDays < 1 || lockDays > LOCK_DAYS_MAX) {
    report(`lock-days=${days} is no number of days`, [`1..${LOCK_DAYS_MAX}`]);
  }
  return { name, lockDays };
}

function readBucket(
  url: URL,
  region: string | null,
  shared: { readonly name: string; readonly lockDays: number | null },
  report: Report,
): BackupTarget | null {
  const endpoint = url.searchParams.get('endpoint')?.replace(/\/+$/, '') ?? null;
  if (endpoint !== null && !/^https?:\/\/[^/]+/.test(endpoint))
    report(`${endpoint} is no endpoint`, ['https://host:port']);
  const path = decodeURIComponent(url.pathname)
    .split('/')
    .filter((part) => part !== '');
  const folder = (parts: readonly string[]): string => parts.map((part) => `${part}/`).join('');
  if (url.protocol === 'azure:') {
    const [container = '', ...rest] = path;
    if (!BUCKET.test(container)) {
      report(`${url.href.split('?')[0] ?? ''} names no container`, ['azure://account/container/prefix']);
    }
    return { kind: 'azure', account: url.hostname, container, prefix: folder(rest), endpoint, ...shared };
  }
  if (!BUCKET.test(url.hostname))
    report(`${url.hostname} is no name of a bucket`, ['3 to 222 of a-z, 0-9, -, _ and .']);
  const place = { bucket: url.hostname, prefix: folder(path), endpoint, ...shared };
  if (url.protocol === 'gs:') return { kind: 'gcs', ...place };
  const named = url.searchParams.get('region') ?? region ?? (endpoint === null ? null : 'us-east-1');
  if (named === null)
    report(`${url.protocol}//${url.hostname} lies in no region`, ['?region=eu-central-1', 'AWS_REGION']);
  return { kind: 's3', ...place, region: named ?? '', conditionalPut: url.searchParams.get('conditional') !== 'off' };
}

/** What a person may have put into an address by mistake is not repeated. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\/\/[^/@]*@/, '//***@')
    .replace(/\?.*/, '?...')
    .slice(0, 100);
}
