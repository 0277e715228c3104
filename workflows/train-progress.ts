import { defineQuery, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { TRAIN_STAGES, TRAIN_STATUS_QUERY, type TrainStage, type TrainStatus } from './messages.ts';
import { label } from './search-attributes.ts';

const trainStatus = defineQuery<TrainStatus>(TRAIN_STATUS_QUERY);

export interface TrainProgressBoard {
  readonly enter: (stage: TrainStage, message: string) => void;
}

/** Shows how far a training is: by query, in the current details, and as the phase in Temporal's lists. */
export function createTrainProgress(model: string, withRollout: boolean): TrainProgressBoard {
  const stages = TRAIN_STAGES.filter((s) => s !== 'done' && (withRollout || s !== 'rollout'));
  let status: TrainStatus = {
    stage: 'starting',
    done: 0,
    total: stages.length,
    message: 'reading the definition',
    startedAtMs: workflowInfo().startTime.getTime(),
  };
  const show = (): void => {
    const next = stages[stages.indexOf(status.stage) + 1];
    const what = status.stage === 'done' ? 'nothing' : (next ?? 'the end');
    const lines = [
      `**Training of ${model}**: ${status.message}`,
      '',
      `Stage ${status.stage} (${status.done} of ${status.total} done). Next: ${what}.`,
    ];
    setCurrentDetails(lines.join('\n'));
  };
  label({ model, phase: status.stage });
  show();
  setHandler(trainStatus, () => status, { description: 'How far the training is. Takes no argument.' });
  return {
    enter: (stage, message) => {
      const done = stage === 'done' ? stages.length : Math.max(status.done, stages.indexOf(stage));
      status = { ...status, stage, message, done };
      label({ phase: stage });
      show();
    },
  };
}
