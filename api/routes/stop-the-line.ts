import type { Registry } from '../../db/ports.ts';
import type { ControlState } from '../../db/rollout-ports.ts';
import { actorOf } from '../actor.ts';
import { answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { stopTheLineBodySchema, stopTheLineSchema } from '../schemas/rollout-controls.ts';

const describeState = ({ at, ...state }: ControlState) => ({ ...state, at: at?.toISOString() ?? null });

const tag = 'Rollouts';
const path = '/stop-the-line';

/** `GET /stop-the-line`, `POST /stop-the-line`. */
export function stopTheLineOperations({ registry }: { registry: Pick<Registry, 'controls'> }): readonly Operation[] {
  const { controls } = registry;
  return [
    defineOperation({
      id: 'showStopTheLine',
      method: 'get',
      path,
      tag,
      summary: 'Whether the line is stopped',
      description: 'While it is, no rollout of any model takes a step towards its candidate.',
      permission: 'monitor',
      answers: { 200: { description: 'The switch, and who set it last', schema: stopTheLineSchema } },
      handle: async ({ c }) => answerJson(c, 200, describeState(await controls.stopTheLine())),
    }),
    defineOperation({
      id: 'setStopTheLine',
      method: 'post',
      path,
      tag,
      summary: 'Stop the line, or let it go on',
      description:
        'For all models at once: rollouts stay at their weights and wait, durably and visibly. They go on being watched, ' +
        'and roll back when they must. Open rollouts see the switch at their next look.',
      permission: 'admin',
      body: {
        ...checkedBy(stopTheLineBodySchema),
        description: 'On or off, and why',
        example: { active: true, reason: 'incident 4711: no changes until it is over' },
      },
      answers: { 200: { description: 'Set', schema: stopTheLineSchema } },
      handle: async ({ c, body }) =>
        answerJson(c, 200, describeState(await controls.setStopTheLine(body.active, actorOf(c), body.reason))),
    }),
  ];
}
