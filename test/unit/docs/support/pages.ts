import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

export interface Block {
  readonly language: string;
  readonly text: string;
  /** `docs/page.md:12`, the line of its first line. */
  readonly where: string;
}

interface Page {
  /** Relative to the repository. */
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

const OTHERS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/churn/README.md'];

export const pages: readonly Page[] = [
  ...markdownUnder(join(ROOT, 'docs')),
  ...OTHERS.map((p) => join(ROOT, p)),
].flatMap((path) => readPage(path));

export function page(path: string): Page {
  const found = pages.find((p) => p.path === path);
  if (found === undefined) throw new Error(`there is no page ${path}`);
  return found;
}

export const source = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

function markdownUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

function readPage(path: string): Page[] {
  try {
    const text = readFileSync(path, 'utf8');
    const name = relative(ROOT, path);
    return [{ path: name, folder: dirname(path), text, blocks: blocksOf(text, name) }];
  } catch (error) {
    // A page beside the docs that is not written yet has no examples to be wrong.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function blocksOf(text: string, path: string): Block[] {
  const blocks: Block[] = [];
  let open: { language: string; lines: string[]; line: number } | null = null;
  text.split('\n').forEach((line, i) => {
    const fence = /^\s*```(\w*)\s*$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === null) open = { language: fence[1] ?? '', lines: [], line: i + 2 };
    else {
      blocks.push({ language: open.language, text: open.lines.join('\n'), where: `${path}:${open.line}` });
      open = null;
    }
  });
  return blocks;
}
