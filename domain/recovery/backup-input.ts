import type { Problem } from '../errors.ts';
import { createJsonReader, isJsonObject, text } from '../json-reader.ts';
import type { Parsed } from '../workflow-input.ts';

export interface BackupInput {
  readonly requestedBy: string;
  readonly label: string | null;
}

/** `{}` is enough. */
export function parseBackupInput(raw: unknown): Parsed<BackupInput> {
  const given = raw ?? {};
  if (!isJsonObject(given)) {
    return { ok: false, problems: [{ field: 'input', message: 'expected one JSON object', allowed: ['{}'] }] };
  }
  const problems: Problem[] = [];
  const r = createJsonReader(given, (problem) => problems.push(problem));
  const value = {
    requestedBy: r.optional('requestedBy', text) ?? 'temporal',
    label: r.optional('label', text) ?? null,
  };
  r.finish();
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}
