import type { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../workflows/messages.ts';

/** Types as `temporal operator search-attribute` names them, with their numbers in temporal.api.enums.v1.IndexedValueType. */
const INDEXED_TYPES = { Keyword: 2, Int: 3 } as const;

/** Search attributes of the workflows with their types. */
export const SEARCH_ATTRIBUTE_TYPES: Readonly<Record<string, keyof typeof INDEXED_TYPES>> = {
  [SEARCH_ATTRIBUTES.model]: 'Keyword',
  [SEARCH_ATTRIBUTES.version]: 'Int',
  [SEARCH_ATTRIBUTES.strategy]: 'Keyword',
  [SEARCH_ATTRIBUTES.phase]: 'Keyword',
};

/**
 * Registers the search attributes that a Temporal service does not have yet. The dev server gets them by flags.
 * @returns the names that were added
 * @throws Error when one exists with another type
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<readonly string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing: Record<string, number> = {};
  for (const [name, type] of Object.entries(SEARCH_ATTRIBUTE_TYPES)) {
    const found = customAttributes[name];
    if (found === undefined) missing[name] = INDEXED_TYPES[type];
    else if ((found as number) !== INDEXED_TYPES[type])
      throw new Error(`Temporal's search attribute ${name} exists with another type; ${type} is needed`);
  }
  const names = Object.keys(missing);
  if (names.length > 0) await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: missing });
  return names;
}
