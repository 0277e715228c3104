import { DeterminismViolationError } from '@temporalio/workflow';
import { Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleWorkflows, quiet } from '../workflow/environment.ts';
import { historyNames, parseHistory, readHistory } from './history-files.ts';

const names = await historyNames();
let workflowBundle: WorkflowBundleWithSourceMap;
beforeAll(async () => {
  quiet();
  workflowBundle = await bundleWorkflows();
});

describe('the workflows as they are now', () => {
  it('can go on with every recorded run', async () => {
    const histories = await Promise.all(
      names.map(async (name) => ({ workflowId: name, history: await readHistory(name) })),
    );
    const replayed: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
      expect(error, workflowId).toBeUndefined();
      replayed.push(workflowId);
    }
    expect(replayed.sort()).toEqual([...names].sort());
    expect(names.length).toBeGreaterThanOrEqual(9);
  });

  it('would not go on with a run that took another way', async () => {
    const json = JSON.stringify(await readHistory('canary-promoted'));
    const other = parseHistory(json.replace('"observe"', '"observeTwice"'));
    await expect(Worker.runReplayHistory({ workflowBundle }, other)).rejects.toThrow(DeterminismViolationError);
  });
});
