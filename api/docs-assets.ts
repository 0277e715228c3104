/** The pages under `/docs`: Swagger UI from the installed package, nothing from elsewhere. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface DocsAsset {
  readonly body: string | Uint8Array;
  readonly contentType: string;
}

const FILES: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Sluice API</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="docs"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

/** `validatorUrl: null` takes out the badge that would send the document's address to a server on the internet. */
const START = `window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

/** Scripts and data from this server alone. Swagger UI sets style attributes and shows icons from data addresses. */
export const DOCS_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** Reads each file once, at its first use. Resolves with null for a name that is not part of the pages. */
export function createDocsAssets(): (name: string) => Promise<DocsAsset | null> {
  const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
  const loaded = new Map<string, Promise<DocsAsset>>();
  return async (name) => {
    if (name === '') return { body: PAGE, contentType: 'text/html; charset=utf-8' };
    if (name === 'start.js') return { body: START, contentType: 'text/javascript; charset=utf-8' };
    const contentType = Object.hasOwn(FILES, name) ? FILES[name] : undefined;
    if (contentType === undefined) return null;
    const asset = loaded.get(name) ?? readFile(join(folder, name)).then((body) => ({ body, contentType }));
    loaded.set(name, asset);
    return asset;
  };
}
