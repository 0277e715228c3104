import { z } from '@hono/zod-openapi';
import { DomainError } from '../../domain/errors.ts';
import { answer, answerJson } from '../answers.ts';
import { DOCS_POLICY, createDocsAssets } from '../docs-assets.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';

/** The files change with the installed version only. */
const ASSET_MAX_AGE_SECONDS = 3_600;

/** `GET /openapi.json`, `GET /docs` and its files. */
export function docsOperations(document: () => object): readonly Operation[] {
  const assets = createDocsAssets();
  const common = { method: 'get', tag: 'Operations', permission: null } as const;
  const page = { description: 'A page or one of its files', schema: z.string(), contentType: 'text/html' };
  const bytes = z.string().openapi({ format: 'binary' });
  const file = {
    ...page,
    contentType: 'text/css',
    otherTypes: { 'text/javascript': z.string(), 'image/png': bytes, 'text/html': z.string() },
  };
  return [
    defineOperation({
      ...common,
      id: 'openapi',
      path: '/openapi.json',
      summary: 'This document',
      description: 'OpenAPI 3.1, with the features of the models that are served now.',
      answers: { 200: { description: 'The document', schema: z.record(z.string(), z.unknown()) } },
      handle: ({ c }) => answerJson(c, 200, document()),
    }),
    defineOperation({
      ...common,
      id: 'docs',
      path: '/docs',
      summary: 'The API to read and to try',
      description: 'Works without the internet: everything comes from this server.',
      answers: { 200: page },
      handle: async ({ c }) => {
        const asset = await assets('');
        if (asset === null) throw new DomainError('internal', 'The page is missing');
        return answer(c, 200, asset.body, asset.contentType, { 'content-security-policy': DOCS_POLICY });
      },
    }),
    defineOperation({
      ...common,
      id: 'docsFile',
      path: '/docs/{file}',
      summary: 'A file of the page',
      description: 'Script, style and icon of `/docs`.',
      params: z.strictObject({ file: z.string().max(100).openapi({ example: 'swagger-ui.css' }) }),
      refusals: ['notFound'],
      answers: { 200: file },
      handle: async ({ c, params }) => {
        const asset = await assets(params.file);
        if (asset === null) throw new DomainError('notFound', 'There is no such file under /docs');
        return answer(c, 200, asset.body, asset.contentType, {
          'content-security-policy': DOCS_POLICY,
          'cache-control': `public, max-age=${ASSET_MAX_AGE_SECONDS}`,
        });
      },
    }),
  ];
}
