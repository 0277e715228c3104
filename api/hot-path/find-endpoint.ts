import { BATCH_LIMIT_BYTES, PREDICT_LIMIT_BYTES } from '../schemas/predictions.ts';

/** A request that the hot path answers. */
export interface Endpoint {
  readonly kind: 'one' | 'many';
  /** The route's pattern, for the metrics. */
  readonly route: string;
  readonly limitBytes: number;
  /** Of the path, or `null` where the body may name it. */
  readonly model: string | null;
}

const ONE: Endpoint = { kind: 'one', route: '/predict', limitBytes: PREDICT_LIMIT_BYTES, model: null };
const MANY: Endpoint = { kind: 'many', route: '/predict/batch', limitBytes: BATCH_LIMIT_BYTES, model: null };
const PREFIX = '/models/';
const SUFFIX = '/predict';
/** Names that need no decoding. Anything else, and a path with a query, is for the router. */
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
/** Paths at hand; bounded, as callers may make names up. */
const KNOWN_PATHS_MAX = 1_000;

/** Recognises predictions by method and path; `null`: not for the hot path. */
export function createEndpointFinder(): (method: string | undefined, path: string | undefined) => Endpoint | null {
  const known = new Map<string, Endpoint>([
    ['/predict', ONE],
    ['/predict/batch', MANY],
  ]);
  return (method, path) => {
    if (method !== 'POST' || path === undefined) return null;
    const found = known.get(path);
    if (found !== undefined) return found;
    if (!path.startsWith(PREFIX) || !path.endsWith(SUFFIX)) return null;
    const model = path.slice(PREFIX.length, -SUFFIX.length);
    if (!PLAIN_NAME.test(model)) return null;
    const endpoint: Endpoint = {
      kind: 'one',
      route: '/models/{model}/predict',
      limitBytes: PREDICT_LIMIT_BYTES,
      model,
    };
    if (known.size < KNOWN_PATHS_MAX) known.set(path, endpoint);
    return endpoint;
  };
}
