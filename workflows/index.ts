/** Entry of the workflow bundle: what a worker can run. */
export { rolloutModel } from './rollout-model.ts';
export { trainModel } from './train-model.ts';
export { validateModel } from './validate-model.ts';
