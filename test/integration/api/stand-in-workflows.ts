/** Workflows with the names and messages of the real ones, as small as they can be. */
import { ApplicationFailure, condition, defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';

const pause = defineUpdate<unknown, [{ by: string }]>('pause');
const promote = defineUpdate<unknown>('promote');
const abort = defineUpdate<unknown>('abort');

export async function rolloutModel({ model }: { model: string }): Promise<void> {
  let over = false;
  const status = { rolloutId: 'r-1', model };
  setHandler(pause, ({ by }) => ({ applied: 'pause', status: { ...status, reason: by } }));
  setHandler(promote, () => status, {
    validator: (): void => {
      const problems = [{ field: 'command', message: 'is refused by the test' }];
      throw ApplicationFailure.create({ type: 'refused', message: 'not now', nonRetryable: true, details: [problems] });
    },
  });
  setHandler(abort, () => {
    over = true;
    return { applied: 'abort', status };
  });
  setHandler(defineQuery<unknown>('status'), () => status);
  await condition(() => over);
}

export async function trainModel({ model, seed }: { model: string; seed?: number }): Promise<unknown> {
  const status = { stage: 'train', done: 2, total: 7, message: `trains ${model}`, startedAtMs: 1 };
  setHandler(defineQuery<unknown>('status'), () => status);
  if (seed === 1) {
    const failure = { type: 'invalidInput', message: 'no such column', nonRetryable: true };
    throw ApplicationFailure.create(failure);
  }
  if (seed === 2) await condition(() => false);
  return { kind: 'accepted', model };
}
