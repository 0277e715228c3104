import { describe, expect, it } from 'vitest';
import { createLogger, type Logger } from '../../../adapters/logger.ts';
import { scrub, scrubText } from '../../../adapters/scrub-secrets.ts';

const KEY = 'sk_live_8Hq2mPz7KfW3vTnYb5XcRd9LsJgA1eQ0Zx4u';
const PASSWORD = 'pl4nted-s3cret';
const DATABASE_URL = `postgres://sluice:${PASSWORD}@db.internal:5432/sluice`;

function recordingLogger(): { logger: Logger; lines: string[]; parsed: () => Record<string, unknown>[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level: 'trace', name: 'test', destination });
  return { logger, lines, parsed: () => lines.map((l) => JSON.parse(l) as Record<string, unknown>) };
}

describe('createLogger', () => {
  it('writes one JSON line with the level, an ISO time, the process and the message', () => {
    const { logger, parsed } = recordingLogger();
    logger.info({ model: 'demo' }, 'trained');
    expect(parsed()[0]).toMatchObject({ level: 'info', name: 'test', model: 'demo', msg: 'trained' });
    expect(parsed()[0]!['time']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });

  const planted: Record<string, (logger: Logger) => void> = {
    'a field': (l) => l.info({ password: PASSWORD }, 'x'),
    'a field five levels down': (l) => l.info({ a: { b: { c: { d: { databasePassword: PASSWORD } } } } }, 'x'),
    'a field in an array': (l) => l.info({ keys: [{ api_key: KEY }] }, 'x'),
    'a header': (l) => l.info({ headers: { 'X-API-Key': PASSWORD, Authorization: PASSWORD } }, 'x'),
    'a value under a harmless name': (l) => l.info({ a: { note: [`connect to ${DATABASE_URL}`, KEY] } }, 'x'),
    'a name of a field': (l) => l.info({ [`for ${KEY}`]: 1 }, 'x'),
    'the message': (l) => l.info(`connecting to ${DATABASE_URL} with ${KEY}`),
    'a value put into the message': (l) => l.info('with %s and %o', KEY, { password: PASSWORD }),
    "a child logger's bindings": (l) => l.child({ token: PASSWORD, url: DATABASE_URL }).info('x'),
    'an error logged alone': (l) => l.error(new Error(`cannot connect to ${DATABASE_URL}`)),
    'an error under err': (l) => l.error({ err: new Error(KEY) }, 'failed'),
    "an error's cause": (l) => l.error({ err: new Error('a', { cause: new Error(DATABASE_URL) }) }, 'failed'),
    'an aggregate of errors': (l) => l.error({ err: new AggregateError([new Error(DATABASE_URL)], 'all') }, 'failed'),
    'properties that a driver hangs on an error': (l) =>
      l.error({ err: Object.assign(new Error('a'), { parameters: [PASSWORD], config: { url: DATABASE_URL } }) }, 'x'),
    'JSON in a text': (l) => l.info({ body: JSON.stringify({ password: PASSWORD }) }, 'x'),
    'a query string': (l) => l.info({ url: `/x?token=${PASSWORD}&a=1` }, 'x'),
  };
  it.each(Object.entries(planted))('keeps a secret out of the log that stands in %s', (_, log) => {
    const { logger, lines, parsed } = recordingLogger();
    log(logger);
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain(PASSWORD);
    expect(lines[0]).not.toContain(KEY.slice(8));
    expect(parsed()).toHaveLength(1);
  });

  it('keeps what is needed to find a fault: type, message, stack, code and problems of an error', () => {
    const { logger, parsed } = recordingLogger();
    const problems = [{ field: 'a', message: 'b' }];
    logger.error({ err: Object.assign(new TypeError('bad'), { code: 'conflict', problems }) }, 'failed');
    expect(parsed()[0]!['err']).toMatchObject({ type: 'TypeError', message: 'bad', code: 'conflict', problems });
    expect((parsed()[0]!['err'] as { stack: string }).stack).toContain('logger.test.ts');
  });
});

describe('scrub', () => {
  it('leaves ordinary text alone', () => {
    const texts = ['http://127.0.0.1:8080/docs', 'user@example.org', '2026-11-21T09:00:00Z', 'sk_live_8Hq2', 'a:b@c'];
    for (const text of texts) expect(scrubText(text)).toBe(text);
  });

  it('ends on a value that contains itself, and bounds depth, items and text', () => {
    const loop: Record<string, unknown> = {};
    loop['loop'] = loop;
    expect(JSON.stringify(scrub(loop))).toContain('[deeper]');
    expect(scrub(Array.from({ length: 5_000 }, () => 1))).toHaveLength(101);
    expect((scrub('x'.repeat(1_000_000)) as string).length).toBeLessThan(20_000);
    expect(scrub({ rows: new Float32Array(10_000) })).toEqual({ rows: '[40000 bytes]' });
  });

  it('takes linear time on long texts that nearly match', () => {
    const texts = ['a'.repeat(200_000), '://'.repeat(60_000), '-----BEGIN '.repeat(2_000), 'password='.repeat(20_000)];
    const startedAt = performance.now();
    for (const text of texts) scrubText(text);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
