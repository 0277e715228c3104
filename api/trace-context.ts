/** W3C Trace Context (https://www.w3.org/TR/trace-context/): who asked, and under which trace the answer belongs. */
import { randomBytes } from 'node:crypto';

/** The trace that a caller named. */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** For the header `traceresponse` (Trace Context, level 2): the caller's trace with the span of this answer. */
  readonly response: string;
}

/** Version, trace, parent, flags. A version after 00 may have more behind a further dash, which 00 has not. */
const TRACEPARENT = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})(-.*)?$/;
const SPAN_BYTES = 8;
const SAMPLED = 1;

/** `null`: there is none, or none that can be read, which the standard has ignored. `tracestate` is nobody's here. */
export function readTrace(traceparent: string | undefined): Trace | null {
  if (traceparent === undefined) return null;
  const [, version, traceId, flags, more] = TRACEPARENT.exec(traceparent.trim()) ?? [];
  if (traceId === undefined || flags === undefined || (version === '00' && more !== undefined)) return null;
  const sampled = (Number.parseInt(flags, 16) & SAMPLED).toString().padStart(2, '0');
  return { traceId, response: `00-${traceId}-${randomBytes(SPAN_BYTES).toString('hex')}-${sampled}` };
}
