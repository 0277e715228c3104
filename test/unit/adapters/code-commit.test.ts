import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUILD_STAMP, codeCommit } from '../../../adapters/code-commit.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-commit-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync('git', ['-C', root, '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args], {
    encoding: 'utf8',
  }).trim();
function commit(): string {
  git('init', '-q');
  writeFileSync(join(root, 'file'), 'a');
  git('add', 'file');
  git('commit', '-qm', 'a');
  return git('rev-parse', 'HEAD');
}

describe('codeCommit', () => {
  it("is git's HEAD, marked when tracked files differ from it", () => {
    const head = commit();
    expect(codeCommit(root)).toBe(head);
    writeFileSync(join(root, 'file'), 'b');
    expect(codeCommit(root)).toBe(`${head}-dirty`);
  });

  it('is the build stamp where there is one', () => {
    commit();
    writeFileSync(join(root, BUILD_STAMP), 'f00d\n');
    expect(codeCommit(root)).toBe('f00d');
  });

  it('is unknown without git and stamp, and in a folder inside a foreign repository', () => {
    expect(codeCommit(root)).toBe('unknown');
    commit();
    const inner = join(root, 'inner');
    mkdirSync(inner);
    expect(codeCommit(inner)).toBe('unknown');
  });

  it('does not take an arbitrary text for a stamp', () => {
    writeFileSync(join(root, BUILD_STAMP), 'not a commit\nat all');
    expect(codeCommit(root)).toBe('unknown');
  });
});
