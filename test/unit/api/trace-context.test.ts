import { describe, expect, it } from 'vitest';
import { readTrace } from '../../../api/trace-context.ts';
import { createTestApp } from './support/test-app.ts';
import { row } from './support/samples.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const given = `00-${TRACE}-00f067aa0ba902b7-01`;

describe('traceparent', () => {
  it('is answered with the trace of the caller and a span of its own', () => {
    const trace = readTrace(given)!;
    expect(trace.traceId).toBe(TRACE);
    expect(trace.response).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    expect(trace.response).not.toBe(given);
    expect(readTrace(given)!.response).not.toBe(trace.response);
  });

  it('of a later version is read, what this version does not know of it is left out', () => {
    expect(readTrace(`cc-${TRACE}-00f067aa0ba902b7-09-what-may-come`)!.response).toMatch(/-01$/);
  });

  it.each([
    undefined,
    '',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    `${given}-more`,
    `${given}\r\nx: y`,
  ])('%j is ignored', (header) => {
    expect(readTrace(header)).toBeNull();
  });

  it('comes back on answers and refusals, and stands in the log of what went wrong', async () => {
    const { call, serving, log } = await createTestApp();
    const headers = { traceparent: given, tracestate: 'vendor=1' };
    const answered = await call('POST', '/predict', { body: row, headers });
    expect(answered.headers.get('traceresponse')).toContain(TRACE);
    serving.predict.mockRejectedValueOnce(new Error('broken'));
    const failed = await call('POST', '/predict', { body: row, headers });
    expect(failed.status).toBe(500);
    expect(failed.headers.get('traceresponse')).toContain(TRACE);
    expect(log.error).toHaveBeenCalledWith(expect.objectContaining({ traceId: TRACE }), expect.anything());
    expect((await call('POST', '/predict', { body: row })).headers.has('traceresponse')).toBe(false);
  });
});
