import type { SluiceApi } from '../../cli/api/sluice-api.ts';
import type { ModelDefinition } from '../../domain/definition.ts';
import type { FeatureSpec, FeatureValue } from '../../domain/signature.ts';
import { exampleRow } from '../../models/data/example-row.ts';
import { readTable } from '../../models/data/read-table.ts';
import type { FirstKey } from './first-key.ts';

export interface Addresses {
  readonly apiUrl: string;
  readonly temporalUiUrl: string | null;
  readonly temporalAddress: string;
}

/** A model that serves, with a request that it answers. */
export interface Served {
  readonly model: string;
  readonly version: number;
  readonly versions: number;
  readonly request: Readonly<Record<string, unknown>> | null;
}

export interface FinalScreen {
  readonly addresses: Addresses;
  readonly home: string;
  /** The home is not the one that the command line looks for by itself. */
  readonly homeGiven: boolean;
  readonly firstKey: FirstKey | null;
  readonly served: Served | null;
  /** Why nothing is served, `null` when something is. */
  readonly problem: string | null;
}

/** Finds a model that serves (the example first), and one real row of its data to ask about. */
export async function findServed(
  api: Pick<SluiceApi, 'models' | 'model' | 'version'>,
  first: string | null,
): Promise<Served | null> {
  const routed = (await api.models()).filter((m) => m.routing !== null);
  const model = routed.find((m) => m.name === first) ?? routed[0];
  const route = model?.routing?.routes.find((r) => r.variant === 'champion') ?? model?.routing?.routes[0];
  if (model === undefined || route === undefined) return null;
  const { signature } = await api.version(model.name, route.version);
  const { definition } = await api.model(model.name);
  return {
    model: model.name,
    version: route.version,
    versions: model.versions,
    request: await exampleRequest(definition.data, signature.features, signature.entity),
  };
}

/** `null` when the data file is gone or the model was imported: then the documentation has to do. */
async function exampleRequest(
  data: ModelDefinition['data'],
  features: readonly FeatureSpec[],
  entity: string | null,
): Promise<Readonly<Record<string, unknown>> | null> {
  try {
    if (data === null) return null;
    const table = await readTable(data.source, data);
    const entityColumn: readonly FeatureSpec[] =
      entity === null ? [] : [{ name: entity, type: 'category', missing: 'flag', unknown: 'flag', outOfRange: 'flag' }];
    const row: Readonly<Record<string, FeatureValue>> = exampleRow(table, [...features, ...entityColumn]);
    const sent = Object.fromEntries(features.map((f) => [f.name, row[f.name] ?? null]));
    const id = entity === null ? null : (row[entity] ?? null);
    return { ...(id === null ? {} : { entity_id: String(id) }), features: sent };
  } catch {
    return null;
  }
}

export function renderFinalScreen(screen: FinalScreen): string {
  const { addresses, served, firstKey } = screen;
  const lines = [
    '',
    served === null
      ? 'Sluice is running, but serves no model yet.'
      : `Sluice is running and serves ${served.model}, version ${String(served.version)}.`,
  ];
  if (screen.problem !== null) lines.push(`The example is not served: ${screen.problem}`);
  lines.push('', row('API', addresses.apiUrl), row('Documentation', `${addresses.apiUrl}/docs`));
  lines.push(row('Temporal UI', addresses.temporalUiUrl ?? `none here (Temporal is at ${addresses.temporalAddress})`));
  if (firstKey !== null) {
    const shown = firstKey.isNew ? `${firstKey.key}  (shown once; also in ${firstKey.file})` : `in ${firstKey.file}`;
    lines.push(row('API key', shown));
  }
  if (served?.request != null && firstKey !== null)
    lines.push('', 'Ask for a prediction:', curl(addresses.apiUrl, served.model, firstKey.file, served.request));
  lines.push('', ...nextCommands(screen));
  lines.push(
    '',
    row('Logs', `${screen.home}/logs`),
    row('State', screen.home),
    '',
    'Ctrl-C stops everything; the state stays.',
    '',
  );
  return lines.join('\n');
}

const row = (title: string, text: string): string => `  ${title.padEnd(14)} ${text}`;

function curl(apiUrl: string, model: string, keyFile: string, request: Readonly<Record<string, unknown>>): string {
  const url = shellQuote(`${apiUrl}/models/${encodeURIComponent(model)}/predict`);
  const key = `-H "X-API-Key: $(cat ${shellQuote(keyFile)})"`;
  return [
    `  curl -s ${url} \\`,
    `    ${key} -H 'Content-Type: application/json' \\`,
    `    -d ${shellQuote(JSON.stringify(request), true)}`,
  ].join('\n');
}

function nextCommands({ served, home, homeGiven }: FinalScreen): string[] {
  const sluice = `${homeGiven ? `SLUICE_HOME=${shellQuote(home)} ` : ''}npx sluice`;
  if (served === null) return ['Train a model:', `  ${sluice} train path/to/model.yaml --rollout`];
  const next = String(served.versions + 1);
  return [
    'Train the next version and roll it out:',
    `  ${sluice} train ${served.model} --seed ${next} && ${sluice} rollout start ${served.model} --version ${next}`,
  ];
}

/** One word for a POSIX shell. Inside single quotes only the single quote itself is special. */
export function shellQuote(text: string, always = false): string {
  if (!always && /^[\w./:@%+=,-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
