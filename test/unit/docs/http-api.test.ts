import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createTestApp } from '../api/support/test-app.ts';

const page = readFileSync(new URL('../../../docs/http-api.md', import.meta.url), 'utf8');

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}
interface Operation {
  readonly description: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly { readonly in: string; readonly name: string }[];
}

async function operations() {
  const { call } = await createTestApp({ imports: {} as never, desk: {} as never });
  const { paths } = (await call('GET', '/openapi.json', { key: null })).json as Document;
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ name: `\`${method.toUpperCase()} ${path}\``, operation })),
  );
}

/** The table row that names a route. */
const rowOf = (name: string): string => page.split('\n').find((l) => l.startsWith('|') && l.includes(name)) ?? '';

describe('docs/http-api.md', () => {
  it('has every operation of the OpenAPI document with its permission', async () => {
    // The files of the documentation page are no routes to call.
    const all = (await operations()).filter(({ name }) => !name.includes('/docs/'));
    expect(all.length).toBeGreaterThan(45);
    const wrong = all.filter(({ name, operation }) => {
      const permission = /permission `(\w+)`\.$/.exec(operation.description)?.[1] ?? 'none';
      return !rowOf(name).includes(`| ${permission} `);
    });
    expect(wrong.map((o) => o.name)).toEqual([]);
  });

  it('marks the writes that take an idempotency key', async () => {
    const takes = ({ operation }: { readonly operation: Operation }) =>
      (operation.parameters ?? []).some((p) => p.in === 'header' && p.name === 'Idempotency-Key');
    const taking = (await operations()).filter(takes);
    expect(taking.length).toBeGreaterThanOrEqual(4);
    expect(taking.filter(({ name }) => !rowOf(name).includes('(I)')).map((o) => o.name)).toEqual([]);
  });
});
