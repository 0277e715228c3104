import { proxyActivities, setCurrentDetails, workflowInfo } from '@temporalio/workflow';
import type { ValidateActivities } from '../activities/contract.ts';
import { parseValidateInput } from '../domain/workflow-input.ts';
import { PROFILES } from './activity-profiles.ts';
import { explained, requireInput } from './failures.ts';
import type { ValidateModelInput, ValidateModelResult } from './messages.ts';
import { label } from './search-attributes.ts';

const heavy = proxyActivities<ValidateActivities>(PROFILES.heavy);

/**
 * Runs the gates of the definition on one version and records them with their evidence.
 * Sample input: `{"model":"NAME","version":1}`.
 */
export async function validateModel(raw: ValidateModelInput): Promise<ValidateModelResult> {
  const { model, version } = requireInput(parseValidateInput(raw));
  label({ model, version, phase: 'gates' });
  setCurrentDetails(`**Gates of ${model} version ${version}** are running.`);
  const { runId } = workflowInfo();
  try {
    const options = { summary: `gates of ${model} version ${version}` };
    const { passed, gates } = await heavy.checkGates.executeWithOptions(options, [{ model, version, runId }]);
    const lines = gates.map((g) => `- ${g.passed ? 'passed' : '**failed**'} ${g.gate}: ${g.message}`);
    setCurrentDetails([`**${model} version ${version} ${passed ? 'passed' : 'failed'}**`, '', ...lines].join('\n'));
    label({ phase: passed ? 'passed' : 'failed' });
    return { model, version, passed, gates };
  } catch (error) {
    throw explained(error);
  }
}
