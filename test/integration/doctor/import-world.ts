/** The API on a real port, registry and artefact store, with the real doctor; Temporal is left out. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createImports } from '../../../api/imports/create-imports.ts';
import type { ImportedVersionAnswer } from '../../../api/schemas/imports.ts';
import { startServer } from '../../../api/server.ts';
import { createServing } from '../../../api/serving/create-serving.ts';
import type { Registry } from '../../../db/ports.ts';
import type { Problem } from '../../../domain/errors.ts';
import { createTestApp } from '../../unit/api/support/test-app.ts';
import { openTestRegistry } from '../db/fixture.ts';

export interface ImportWorld {
  readonly registry: Registry;
  readonly home: string;
  readonly url: string;
  readonly key: string;
  /** Posts a form or bytes; the parts are given as text or bytes. */
  importModel(model: string, parts: ImportParts | Uint8Array, headers?: Record<string, string>): Promise<ApiAnswer>;
  post(path: string, body: unknown): Promise<ApiAnswer>;
  /** Sends all traffic of a model to a version, as a rollout would, and waits until it is served. */
  route(model: string, version: number): Promise<void>;
  close(): Promise<void>;
}

export interface ImportParts {
  readonly model?: Uint8Array;
  readonly signature?: string;
  readonly samples?: string;
}

export interface ApiAnswer {
  readonly status: number;
  readonly json: AnswerJson;
}

/** What the routes of these tests answer: each answer has a part of it. */
export interface AnswerJson extends ImportedVersionAnswer {
  readonly detail: string;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly probability: number;
  readonly predictions: readonly { readonly probability: number }[];
}

export async function openImportWorld(): Promise<ImportWorld> {
  const database = await openTestRegistry();
  const { registry } = database;
  const home = await mkdtemp(join(tmpdir(), 'sluice-import-'));
  const artefacts = createFolderArtefactStore(join(home, 'artefacts'));
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const metrics = { observe: () => undefined, batchSize: () => undefined } as never;
  const { routing, versions, records } = registry;
  const serving = createServing({ routing, versions, artefacts, records, home, metrics, log });
  await serving.start();
  const imports = createImports({ registry, artefacts, log, uploadDir: join(home, 'uploads') });
  const test = await createTestApp({ registry, serving, imports });
  const server = await startServer(test.app.fetch, { host: '127.0.0.1', port: 0 });
  const url = `http://127.0.0.1:${server.port}`;
  const { admin: key } = test.keyOf;
  const send = async (path: string, body: FormData | Uint8Array | string, headers: Record<string, string>) => {
    const init = { method: 'POST', headers: { 'x-api-key': key, ...headers }, body: body as never };
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, json: (await response.json()) as AnswerJson };
  };
  return {
    registry,
    home,
    url,
    key,
    importModel: (model, parts, headers = {}) => {
      const path = `/models/${model}/versions`;
      if (parts instanceof Uint8Array) {
        return send(path, parts, { 'content-type': 'application/octet-stream', ...headers });
      }
      const form = new FormData();
      for (const [name, content] of Object.entries<Uint8Array | string>({ ...parts }))
        form.set(name, new Blob([content]), name);
      return send(path, form, headers);
    },
    post: (path, body) => send(path, JSON.stringify(body), { 'content-type': 'application/json' }),
    route: async (model, version) => {
      const known = await routing.find(model);
      await routing.apply({
        model,
        expectedGeneration: known?.generation ?? 0,
        changeId: `to-${version}-${known?.generation ?? 0}`,
        salt: 's',
        rolloutId: null,
        routes: [{ variant: 'champion', version, weightPercent: 100 }],
        slowMs: 1_000,
        by: 'test',
        reason: 'test',
      });
      while (!serving.served().some((s) => s.model === model && s.routes[0]?.version === version)) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    close: async () => {
      await server.drain();
      await serving.close();
      await database.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
