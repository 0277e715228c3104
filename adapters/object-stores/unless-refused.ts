import { DomainError } from '../../domain/errors.ts';

/** Does it, and says whether it was done: `false` when a lock of the store stands against it. Other errors are thrown. */
export async function unlessRefused(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'refused') return false;
    throw error;
  }
}
