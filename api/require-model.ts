import type { ModelRow, ModelStore } from '../db/ports.ts';
import { DomainError } from '../domain/errors.ts';

/** Names listed in a refusal: enough to see the typing mistake. */
const NAMES_SHOWN_MAX = 50;

/** @throws DomainError `notFound` naming the models there are */
export async function requireModel(models: Pick<ModelStore, 'find' | 'list'>, name: string): Promise<ModelRow> {
  const row = await models.find(name);
  if (row !== null) return row;
  const names = (await models.list()).slice(0, NAMES_SHOWN_MAX).map((m) => m.name);
  const message = names.length === 0 ? 'there is no model yet' : 'is not a model here';
  throw new DomainError('notFound', `There is no model ${name}`, [{ field: 'model', message, allowed: names }]);
}
