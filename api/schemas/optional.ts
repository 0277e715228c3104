import type { z } from '@hono/zod-openapi';

/**
 * A field that may be absent, typed as absent and not as `undefined`: JSON has no `undefined`, so that the two are the
 * same for a body. (`exactOptional()` itself is listed as required by the OpenAPI generator.)
 */
export function optional<T extends z.ZodType>(schema: T): z.ZodExactOptional<T> {
  return schema.optional() as unknown as z.ZodExactOptional<T>;
}
