import type { ModelDefinition } from '../../domain/definition.ts';
import type { Signature } from '../../domain/signature.ts';
import { parseDefinition } from './load.ts';
import { rolloutFromFile } from './rollout-schema.ts';

/**
 * The definition of a model that begins with an imported version: no data, everything else as a `model.yaml` has it
 * that says nothing. `POST /models` may change it.
 * @throws DomainError `invalidInput` when the name cannot be one
 */
export function importedDefinition(
  name: string,
  { entity, target, risk }: Pick<Signature, 'entity' | 'target' | 'risk'>,
): ModelDefinition {
  return parseDefinition({
    name,
    description: 'Imported',
    data: null,
    entity,
    target: { column: target.column, positive: target.positive },
    risk,
    rollout: rolloutFromFile.parse({}),
  });
}
