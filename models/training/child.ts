import { constants, setPriority } from 'node:os';
import { DomainError } from '../../domain/errors.ts';
import type { ChildMessage, ChildRequest, ChildWork, WorkKind } from './child-protocol.ts';

/**
 * Entry of the child process of `create-jobs.ts`: takes one request over IPC, answers, ends. It ends at once when its
 * parent is gone, so that no training runs on without anybody to take the result.
 */
// It may have gone while this file was loading: that is said once, before anybody listens.
if ((process.connected as boolean | undefined) === false) process.exit(1);
process.on('disconnect', () => process.exit(1));
process.once('message', (request) => void answer(request as ChildRequest));

async function answer(request: ChildRequest): Promise<void> {
  try {
    // Serving goes first; only a measurement runs undisturbed.
    if (request.kind !== 'measure') lowerPriority();
    await send({ type: 'result', result: await perform(request) });
  } catch (error) {
    if (!(error instanceof DomainError)) console.error(error);
    await send(failureOf(error));
  }
  process.disconnect();
}

/** Each kind loads only what it needs: a measurement never loads a trainer. */
async function perform(request: ChildRequest): Promise<ChildWork[WorkKind]['result']> {
  switch (request.kind) {
    case 'checkData': {
      const { readTable } = await import('../data/read-table.ts');
      const { checkData } = await import('../data/check-data.ts');
      const { dataPath, definition } = request.job;
      return checkData(await readTable(dataPath, definition.data), definition);
    }
    case 'train': {
      const { trainModel } = await import('./train-model.ts');
      return trainModel(request.job, (progress) => void send({ type: 'progress', progress }));
    }
    case 'evaluate': {
      const { evaluateFile } = await import('./holdout-file.ts');
      return evaluateFile(request.job);
    }
    case 'measure': {
      const { measureFile } = await import('./measure-file.ts');
      return measureFile(request.job);
    }
  }
}

function failureOf(error: unknown): ChildMessage {
  if (error instanceof DomainError) {
    return { type: 'failure', code: error.code, message: error.message, problems: error.problems };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { type: 'failure', code: 'trainingFailed', message, problems: [] };
}

/** Resolves when the message is handed over, or the parent is gone: then there is nobody to tell. */
function send(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

function lowerPriority(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some sandboxes forbid it; the work is the same.
  }
}
