/** A serving process as small as can be: predictions over HTTP, journalled; ships as well unless told not to. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createJournalShipper } from '../../../api/journal/journal-shipper.ts';
import { createJournalWriter } from '../../../api/journal/journal-writer.ts';
import { createServing } from '../../../api/serving/create-serving.ts';
import { createRecordSink } from '../../../api/serving/record-sink.ts';
import { createRegistry } from '../../../db/create-registry.ts';

const [databaseUrl = '', home = '', ships = 'yes'] = process.argv.slice(2);
const log = { info: () => undefined, warn: console.error, error: console.error };
const { registry } = createRegistry(databaseUrl);
const dir = join(home, 'journal');
const sink = createJournalWriter({
  dir,
  instance: randomUUID(),
  fallback: createRecordSink({ records: registry.records, log }),
  log,
});
const serving = createServing({
  routing: registry.routing,
  versions: registry.versions,
  artefacts: createFolderArtefactStore(join(home, 'artefacts')),
  records: registry.records,
  home,
  sink,
  metrics: { observe: () => undefined, batchSize: () => undefined },
  log,
});
if (ships === 'yes') {
  createJournalShipper({ dir, store: registry.journal, bounds: { bytesMax: 1e9, ageMaxMs: 1e9 }, log });
}
const server = createServer((request, response) => {
  const entityId = request.url ?? null;
  serving.predict('m', [{ entityId, features: { x: 1 } }]).then(
    ([outcome]) => response.end(outcome?.ok === true ? outcome.requestId : 'refused'),
    (error: unknown) => response.writeHead(503).end(String(error)),
  );
});
await serving.start();
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
process.on('disconnect', () => process.exit(0));
