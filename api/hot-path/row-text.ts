import type { RowText } from '../serving/contract.ts';
import { ENTITY_ID_LENGTH_MAX } from '../schemas/predictions.ts';

const ENTITY = '"entity_id":';
const FEATURES = '"features":';
const MODEL = '"model":';
/** Stands as it is between quotes of JSON, once both are found. */
const PLAIN = /^[\x20-\x5b\x5d-\x7e]*$/;

/**
 * Finds the parts of a predict body that is written in the usual way: `features` last, texts without escapes, at most
 * one space behind colons and commas. `null`: it has to be parsed, whatever it is.
 * @param text ASCII
 */
export function readRowText(text: string, modelInPath: boolean): (RowText & { readonly model: string | null }) | null {
  let model: string | null = null;
  let entityId: string | null = null;
  let p = 1;
  if (text[0] !== '{') return null;
  while (!text.startsWith(FEATURES, p)) {
    const isEntity = text.startsWith(ENTITY, p);
    if (!isEntity && (modelInPath || !text.startsWith(MODEL, p))) return null;
    if ((isEntity ? entityId : model) !== null) return null;
    p = afterSpace(text, p + (isEntity ? ENTITY : MODEL).length);
    const end = text[p] === '"' ? text.indexOf('"', p + 1) : -1;
    const value = text.slice(p + 1, end);
    if (end <= p + 1 || !PLAIN.test(value) || text[end + 1] !== ',') return null;
    if (isEntity) entityId = value;
    else model = value;
    p = afterSpace(text, end + 2);
  }
  if (entityId !== null && entityId.length > ENTITY_ID_LENGTH_MAX) return null;
  const featuresAt = afterSpace(text, p + FEATURES.length);
  // The scanner says whether the object ends where this ends.
  if (!text.endsWith('}}')) return null;
  return { model, entityId, text, featuresAt, featuresEnd: text.length - 1 };
}

const afterSpace = (text: string, at: number): number => (text[at] === ' ' ? at + 1 : at);
