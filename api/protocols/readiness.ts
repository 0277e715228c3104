import type { KeyDirectory } from '../security/key-directory.ts';
import type { Serving } from '../serving/contract.ts';

export interface ReadinessDeps {
  readonly serving: Pick<Serving, 'status'>;
  readonly keys: Pick<KeyDirectory, 'status'>;
  /** True from the first SIGTERM on. */
  readonly isDraining: () => boolean;
}

/** As `/ready` says it: whether this process should get requests now. */
export function isReady({ serving, keys, isDraining }: ReadinessDeps): boolean {
  return !isDraining() && keys.status().ageMs !== null && serving.status().ready;
}
