import { defineSearchAttributeKey, type SearchAttributeUpdatePair } from '@temporalio/common';
import { upsertSearchAttributes } from '@temporalio/workflow';
import { SEARCH_ATTRIBUTES } from './messages.ts';

const keys = {
  model: defineSearchAttributeKey(SEARCH_ATTRIBUTES.model, 'KEYWORD'),
  version: defineSearchAttributeKey(SEARCH_ATTRIBUTES.version, 'INT'),
  strategy: defineSearchAttributeKey(SEARCH_ATTRIBUTES.strategy, 'KEYWORD'),
  phase: defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, 'KEYWORD'),
};

/** By these the workflow is found in Temporal's lists; what is not given stays as it is. */
export function label(values: { model?: string; version?: number; strategy?: string; phase?: string }): void {
  const pairs: SearchAttributeUpdatePair[] = [];
  if (values.model !== undefined) pairs.push({ key: keys.model, value: values.model });
  if (values.version !== undefined) pairs.push({ key: keys.version, value: values.version });
  if (values.strategy !== undefined) pairs.push({ key: keys.strategy, value: values.strategy });
  if (values.phase !== undefined) pairs.push({ key: keys.phase, value: values.phase });
  upsertSearchAttributes(pairs);
}
