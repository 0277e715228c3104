/** A route as data: its documentation, its permission and its behaviour come from the same object. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { createRoute, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { Metrics } from '../adapters/metrics.ts';
import { DomainError, ERROR_CODES } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { Permission } from '../domain/records.ts';
import type { AppEnv } from './app-env.ts';
import type { ErrorForm } from './error-form.ts';
import { IDEMPOTENCY_HEADER, idempotent } from './middleware/idempotency.ts';
import type { IdempotencyDeps, IdempotencyOptions } from './middleware/idempotency.ts';
import { observeRequests } from './middleware/observe-requests.ts';
import { requirePermission } from './middleware/require-permission.ts';
import { limitPredictions } from './limits/limit-predictions.ts';
import { admitPredictions } from './overload/admit-predictions.ts';
import { boundRequests } from './overload/bound-requests.ts';
import type { Protection } from './protection.ts';
import { readJson } from './request-body.ts';
import { optional } from './schemas/optional.ts';
import { BATCH_LIMIT_BYTES } from './schemas/predictions.ts';
import { problemSchema } from './schemas/problem.ts';
import type { KeyDirectory } from './security/key-directory.ts';
import { zodProblems } from './zod-problems.ts';

/** Of every body without a limit of its own: definitions and commands are a few kilobytes. */
const BODY_LIMIT_BYTES = 1024 * 1024;
export const SECURITY_SCHEME = 'apiKey';

export interface BodySpec<B> {
  /** For the documentation. */
  readonly schema: z.ZodType;
  /** Throws `DomainError` with every field that is wrong; see `checkedBy`. */
  readonly parse: (value: unknown) => B;
  readonly description: string;
  readonly example: unknown;
  readonly limitBytes?: number;
  /** What an empty body stands for; absent: a body is required. */
  readonly whenEmpty?: unknown;
}

/** A body that its schema checks: all but the predictions, where the cost matters. */
export function checkedBy<B>(schema: z.ZodType<B>): Pick<BodySpec<B>, 'schema' | 'parse'> {
  return { schema, parse: (value) => checked(schema, value, 'body') };
}

/** A body that the handler reads itself: other types than JSON, or encoded. */
export interface RawBodySpec {
  readonly description: string;
  /** The request may come without one. */
  readonly optional?: boolean;
  /** By media type. */
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType; readonly example?: unknown }>>;
}

export interface AnswerSpec {
  readonly description: string;
  readonly schema?: z.ZodType;
  readonly example?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string;
  /** Further types that the same answer may come in. */
  readonly otherTypes?: Readonly<Record<string, z.ZodType>>;
}

export interface OperationInput<P, Q, B> {
  readonly c: Context<AppEnv>;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
}

export interface Operation<P extends z.ZodObject = z.ZodObject, Q extends z.ZodObject = z.ZodObject, B = unknown> {
  readonly id: string;
  readonly method: 'get' | 'post' | 'delete';
  /** With `{name}` for parameters. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  /** `null`: open without a key. */
  readonly permission: Permission | null;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: BodySpec<B>;
  readonly rawBody?: RawBodySpec;
  readonly answers: Readonly<Record<number, AnswerSpec>>;
  /** Rows are predicted: let in as long as they can be answered in time. */
  readonly predicts?: true;
  /** The request costs its caller a row at once; the handler charges for more. */
  readonly charged?: true;
  /** Takes an `Idempotency-Key`; `subjectOf`: the answer holds a secret, and this id is kept in its place. */
  readonly idempotent?: Pick<IdempotencyOptions, 'subjectOf'>;
  /** Goes on where another region owns the epoch; reading and what needs `predict` alone do anyway. */
  readonly inAnyRegion?: true;
  /** Problems beyond those that follow from the key, the body and the parameters. */
  readonly refusals?: readonly ErrorCode[];
  /** Default: problem details. */
  readonly errorForm?: ErrorForm;
  /** What the router is told where it could not tell `path` apart; `readParams` then takes the parameters from it. */
  readonly routePath?: string;
  readonly readParams?: (c: Context<AppEnv>) => Readonly<Record<string, string>>;
  handle(input: OperationInput<z.output<P>, z.output<Q>, B>): Response | Promise<Response>;
}

/** Ties the handler's input to the schemas; the list of all operations does not need to know them. */
export function defineOperation<P extends z.ZodObject, Q extends z.ZodObject, B>(
  operation: Operation<P, Q, B>,
): Operation {
  return operation;
}

function checked<T>(schema: z.ZodType<T>, value: unknown, root: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new DomainError('invalidInput', `The ${root} cannot be used as it is`, zodProblems(result.error, root));
}

const pathParams = (c: Context<AppEnv>): Readonly<Record<string, string>> => c.req.param();

async function readInput(operation: Operation, c: Context<AppEnv>): Promise<OperationInput<never, never, unknown>> {
  const params =
    operation.params === undefined ? {} : checked(operation.params, (operation.readParams ?? pathParams)(c), 'path');
  const query = operation.query === undefined ? {} : checked(operation.query, c.req.query(), 'query');
  const spec = operation.body;
  if (spec === undefined) return { c, params: params as never, query: query as never, body: undefined };
  const value = await readJson(c, spec.limitBytes ?? BODY_LIMIT_BYTES, spec.whenEmpty);
  return { c, params: params as never, query: query as never, body: spec.parse(value) };
}

export interface OperationDeps {
  readonly keys: Pick<KeyDirectory, 'check'>;
  readonly metrics: Pick<Metrics, 'request'>;
  /** Absent: everybody is let in, without limit. */
  readonly protection?: Protection;
  /** Rejects with `fenced` where another region owns the epoch. Absent: there is one region. */
  readonly requireLease?: () => Promise<void>;
  /** Absent: every write is a first one. */
  readonly idempotency?: IdempotencyDeps['idempotency'];
  readonly log?: IdempotencyDeps['log'];
}

/** Serves and documents the operations. */
export function registerOperations(
  app: OpenAPIHono<AppEnv>,
  operations: readonly Operation[],
  deps: OperationDeps,
): void {
  const bounded = boundRequests();
  for (const operation of operations) {
    const route = createRoute(describeOperation(operation));
    app.openAPIRegistry.registerPath(route);
    const guards = guardsOf(operation, deps, bounded);
    app.on(
      [operation.method.toUpperCase()],
      [operation.routePath ?? route.getRoutingPath()],
      observeRequests(deps.metrics, operation.path),
      ...guards,
      async (c: Context<AppEnv>) => operation.handle(await readInput(operation, c)),
    );
  }
}

/** In the order of what they cost. */
function guardsOf(
  operation: Operation,
  { keys, protection, idempotency, log, requireLease }: OperationDeps,
  bounded: MiddlewareHandler<AppEnv>,
): MiddlewareHandler<AppEnv>[] {
  const { permission, errorForm, predicts, charged, body, idempotent: keeps } = operation;
  const guards = errorForm === undefined ? [] : [useErrorForm(errorForm)];
  if (permission === null) return guards;
  if (predicts === undefined) guards.push(bounded);
  else if (protection !== undefined) {
    guards.push(admitPredictions(protection.admission, body?.limitBytes ?? BATCH_LIMIT_BYTES));
  }
  guards.push(requirePermission(keys, permission));
  if (charged !== undefined && protection !== undefined) guards.push(limitPredictions(protection.charge));
  if (requireLease !== undefined && isControlWrite(operation)) guards.push(withLease(requireLease));
  if (keeps !== undefined && idempotency !== undefined && log !== undefined) {
    guards.push(idempotent({ idempotency, log }, { ...keeps, limitBytes: body?.limitBytes ?? BODY_LIMIT_BYTES }));
  }
  return guards;
}

/** Whatever is not said to be none: a new route is refused in the wrong region until somebody decides. */
function isControlWrite({ method, permission, inAnyRegion }: Operation): boolean {
  return method !== 'get' && permission !== null && permission !== 'predict' && inAnyRegion === undefined;
}

function withLease(requireLease: () => Promise<void>): MiddlewareHandler<AppEnv> {
  return async (_, next) => {
    await requireLease();
    await next();
  };
}

function useErrorForm(form: ErrorForm): MiddlewareHandler<AppEnv> {
  return (c, next) => {
    c.set('errorForm', form);
    return next();
  };
}

function refusalsOf(operation: Operation): readonly ErrorCode[] {
  const codes: ErrorCode[] = [...(operation.refusals ?? [])];
  if (operation.permission !== null) codes.push('unauthenticated', 'forbidden', 'unavailable', 'overloaded');
  if (isControlWrite(operation)) codes.push('fenced');
  if (operation.idempotent !== undefined) codes.push('conflict', 'malformedRequest', 'invalidInput');
  if (operation.idempotent?.subjectOf !== undefined) codes.push('alreadyDone');
  if (operation.charged !== undefined) codes.push('rateLimited');
  if (operation.params !== undefined || operation.query !== undefined) codes.push('invalidInput');
  if (operation.body !== undefined || operation.rawBody !== undefined) {
    codes.push('malformedRequest', 'payloadTooLarge', 'unsupportedMediaType', 'invalidInput');
  }
  return [...new Set<ErrorCode>([...codes, 'internal'])];
}

type RouteConfig = Parameters<typeof createRoute>[0];

function contentOf({ schema, example, contentType, otherTypes = {} }: AnswerSpec) {
  const media = { ...(schema === undefined ? {} : { schema }), ...(example === undefined ? {} : { example }) };
  const others = Object.entries(otherTypes).map(([type, of]) => [type, { schema: of }] as const);
  return { [contentType ?? 'application/json']: media, ...Object.fromEntries(others) };
}

function describeAnswers(operation: Operation): RouteConfig['responses'] {
  const responses: RouteConfig['responses'] = {};
  for (const [status, spec] of Object.entries(operation.answers)) {
    responses[status] = {
      description: spec.description,
      ...(status === '204' ? {} : { content: contentOf(spec) }),
    };
  }
  const { errorForm } = operation;
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of refusalsOf(operation)) {
    const status = errorForm === undefined ? ERROR_CODES[code].status : errorForm.statusOf(code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  for (const [status, codes] of byStatus) {
    // A status that is also an answer of its own (a readiness report with 503) keeps that description.
    responses[String(status)] ??= {
      description: `Problem: ${codes.join(' or ')}`,
      content:
        errorForm === undefined
          ? { 'application/problem+json': { schema: problemSchema } }
          : { 'application/json': { schema: errorForm.schema } },
    };
  }
  return responses;
}

const describeRawBody = ({ description, content, optional = false }: RawBodySpec) => ({
  description,
  content,
  required: !optional,
});

const idempotencyHeaders = z.object({
  [IDEMPOTENCY_HEADER]: optional(z.string().regex(/^[!#-~]{1,255}$/)).openapi({
    description: 'The same key and body again, within 24 h, is answered as the first time and not done again',
    example: '8e03978e-40d5-43dd-bc93-6894a57f9324',
  }),
});

function describeOperation(operation: Operation): RouteConfig {
  const { body, rawBody } = operation;
  const request = {
    ...(operation.params === undefined ? {} : { params: operation.params }),
    ...(operation.query === undefined ? {} : { query: operation.query }),
    ...(operation.idempotent === undefined ? {} : { headers: idempotencyHeaders }),
    ...(body === undefined
      ? {}
      : {
          body: {
            description: body.description,
            required: body.whenEmpty === undefined,
            content: { 'application/json': { schema: body.schema, example: body.example } },
          },
        }),
    ...(rawBody === undefined ? {} : { body: describeRawBody(rawBody) }),
  };
  return {
    operationId: operation.id,
    method: operation.method,
    path: operation.path,
    tags: [operation.tag],
    summary: operation.summary,
    description:
      operation.permission === null
        ? operation.description
        : `${operation.description}\n\nNeeds a key with the permission \`${operation.permission}\`.`,
    security: operation.permission === null ? [] : [{ [SECURITY_SCHEME]: [] }],
    request,
    responses: describeAnswers(operation),
  };
}
