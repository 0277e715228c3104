import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { page, pages, ROOT } from './support/pages.ts';

const withoutCode = (text: string): string => text.replaceAll(/```[\s\S]*?```/g, '').replaceAll(/`[^`\n]*`/g, '');

/** As GitHub makes them: lower case, punctuation gone, spaces to hyphens. */
const anchorsOf = (text: string): string[] =>
  [...text.matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );

const links = pages.flatMap((p) =>
  [...withoutCode(p.text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => [p.path, target, p] as const),
);

describe('links between the docs', () => {
  it.each(links)('%s: %s leads somewhere', (_path, target, from) => {
    const [file = '', anchor] = target.split('#');
    const path = file === '' ? join(ROOT, from.path) : resolve(from.folder, file);
    expect(existsSync(path), `${path} does not exist`).toBe(true);
    if (anchor === undefined || !statSync(path).isFile()) return;
    expect(anchorsOf(readFileSync(path, 'utf8'))).toContain(anchor);
  });

  it('reach every page from the index', () => {
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path)) return;
      reached.add(path);
      for (const [from, target, of] of links) {
        const to = resolve(of.folder, target.split('#')[0] ?? '').slice(ROOT.length);
        if (from === path && to.endsWith('.md')) visit(to);
      }
    };
    visit('docs/README.md');
    for (const { path } of pages.filter((p) => p.path.startsWith('docs/'))) expect([...reached]).toContain(path);
  });

  it('list every decision, numbered without gaps', () => {
    const files = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => /^\d/.test(name));
    files.sort().forEach((name, i) => {
      expect(name.slice(0, 4)).toBe(String(i + 1).padStart(4, '0'));
      expect(page('docs/decisions/README.md').text).toContain(`(${name})`);
    });
  });
});
