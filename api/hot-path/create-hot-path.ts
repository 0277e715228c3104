import type { IncomingMessage, ServerResponse } from 'node:http';
import { Exchange } from './exchange.ts';
import type { ExchangeDeps } from './exchange.ts';
import { createEndpointFinder } from './find-endpoint.ts';
import { createPredictionAnswers } from './prediction-answers.ts';
import { NodeWire } from './node-wire.ts';
import type { PredictionDeps } from './prediction-answers.ts';

export type HotPathDeps = PredictionDeps & Omit<ExchangeDeps, 'answers'>;

/** Answers the request if it is a prediction. False: it is not, and nothing of it was touched. */
export type HotPath = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/** What the ways of a prediction past the router have in common. */
export function createHotPathParts(deps: HotPathDeps) {
  return { exchangeDeps: { ...deps, answers: createPredictionAnswers(deps) }, endpointOf: createEndpointFinder() };
}

/**
 * Predictions straight on Node's messages: the same checks, core and answers as the routes of the framework, without
 * its objects per request. Everything else is left to the router.
 */
export function createHotPath(deps: HotPathDeps): HotPath {
  const { exchangeDeps, endpointOf } = createHotPathParts(deps);
  return (incoming, outgoing) => {
    const endpoint = endpointOf(incoming.method, incoming.url);
    if (endpoint === null) return false;
    new Exchange(exchangeDeps, endpoint, new NodeWire(incoming, outgoing)).begin();
    return true;
  };
}
