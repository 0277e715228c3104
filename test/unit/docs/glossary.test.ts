import { describe, expect, it } from 'vitest';
import { ALIASES } from '../../../db/schema.ts';
import { VARIANTS } from '../../../domain/routing.ts';
import { page, pages } from './support/pages.ts';

const { text } = page('docs/glossary.md');
const terms = [...text.matchAll(/^\*\*([^*]+)\*\*/gm)].map(([, term = '']) => term);

/** The words the code and its contracts use for the platform's own things. */
const OWN = [
  'artefact',
  'digest',
  'signature',
  'gate',
  'verdict',
  'bake time',
  'snapshot',
  'held-out',
  'definition',
].concat(
  ...[
    'version',
    'route',
    'routing',
    'generation',
    'variant',
    'manifest',
    'lineage',
    'policy',
    'plan',
    'rollout',
    'weight',
  ],
);

describe('the glossary', () => {
  it('defines every term once', () => {
    expect(new Set(terms).size).toBe(terms.length);
  });

  it.each([...new Set([...OWN, ...ALIASES, ...VARIANTS])])('defines %s', (term) => {
    expect(terms).toContain(term);
  });

  it('defines what it points to', () => {
    const pointed = [...text.matchAll(/(?<!\*)\*([a-z -]+)\*(?!\*)/g), ...text.matchAll(/(?<!_)\b_([a-z -]+)_\b/g)].map(
      ([, term = '']) => term,
    );
    expect(pointed.length).toBeGreaterThan(5);
    for (const term of pointed.filter((t) => t !== 'italics')) expect(terms).toContain(term);
  });

  it('keeps the docs to one spelling', () => {
    for (const { path, text: words } of pages) {
      const prose = words
        .replaceAll(/```[\s\S]*?```/g, '')
        .replaceAll(/`[^`]*`/g, '')
        .replaceAll(/\]\([^)]*\)/g, ']');
      expect(prose, path).not.toMatch(/\bartifact/i);
      expect(prose, path).not.toMatch(/\brollback (?:is )?rolled out\b|\bcanary deployment\b/i);
    }
  });
});
