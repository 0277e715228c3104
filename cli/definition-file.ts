import type { TrainableDefinition } from '../domain/definition.ts';

/** Reads and checks model.yaml. Its machinery is loaded only here: most commands start without it, and faster. */
export async function loadDefinitionFile(path: string): Promise<TrainableDefinition> {
  const { loadDefinition } = await import('../models/definition/load.ts');
  return loadDefinition(path);
}
