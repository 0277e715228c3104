import { DatabaseError } from 'pg';
import { DrizzleQueryError } from 'drizzle-orm/errors';
import { describe, expect, it } from 'vitest';
import { isAnswer, isUniqueViolation, toDomainError } from '../../../db/failures.ts';
import { DomainError } from '../../../domain/errors.ts';

const SECRET = 'pl4nted-s3cret';
/** As drizzle throws it: with the statement and its parameters in the message. */
function refused(code: string, message = 'said the server'): DrizzleQueryError {
  const answer = Object.assign(new DatabaseError(message, 0, 'error'), { code, detail: `Key (hash)=(${SECRET})` });
  return new DrizzleQueryError('insert into x values ($1)', [SECRET], answer);
}
const failing = (message: string, code?: string) =>
  Object.assign(new Error(message), code === undefined ? {} : { code });

describe('toDomainError', () => {
  it.each(['57P01', '57P03', '53300', '53100', '08006', '40001', '40P01', '55P03', '57014', '25006', '28P01'])(
    'answers unavailable for %s, after which a second try may succeed',
    (code) => expect(toDomainError(refused(code))).toMatchObject({ code: 'unavailable' }),
  );

  it.each([
    ['23505', 'conflict'],
    ['22P02', 'invalidInput'],
    ['22021', 'invalidInput'],
    ['22003', 'invalidInput'],
    ['23503', 'internal'],
    ['42P01', 'internal'],
  ])('answers SQLSTATE %s as %s', (sqlState, code) => {
    expect(toDomainError(refused(sqlState))).toMatchObject({ code });
  });

  it.each(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND', 'EPIPE'])('answers unavailable for %s', (code) => {
    const wrapped = new DrizzleQueryError('select 1', [], failing('', code));
    expect(toDomainError(wrapped)).toMatchObject({ code: 'unavailable', message: expect.stringContaining(code) });
  });

  it.each([
    'Connection terminated unexpectedly',
    'Client has encountered a connection error and is not queryable',
    'timeout exceeded when trying to connect',
    'Cannot use a pool after calling end on the pool',
  ])("answers unavailable for the driver's %j", (message) => {
    expect(toDomainError(failing(message))).toMatchObject({ code: 'unavailable' });
  });

  it('never shows what a statement was given, wherever the error carries it', () => {
    for (const code of ['23505', '57P01', '42P01', '22P02']) {
      const error = toDomainError(refused(code));
      expect(`${error.message} ${String(error.stack)} ${JSON.stringify(error)}`).not.toContain(SECRET);
      expect(error.cause).toBeUndefined();
    }
    expect(toDomainError(new Error(SECRET)).message).not.toContain(SECRET);
  });

  it("leaves the platform's own errors as they are", () => {
    const error = new DomainError('conflict', 'mine');
    expect(toDomainError(error)).toBe(error);
  });

  it('ends on errors that cause each other', () => {
    const [a, b] = [new Error('a'), new Error('b')];
    a.cause = b;
    b.cause = a;
    expect(toDomainError(a)).toMatchObject({ code: 'internal' });
  });
});

describe('isAnswer', () => {
  it('tells a refusal of the server from a lost connection', () => {
    expect(isAnswer(refused('23505'))).toBe(true);
    expect(isAnswer(new DomainError('conflict', 'after its answers'))).toBe(true);
    expect(isAnswer(failing('Connection terminated unexpectedly'))).toBe(false);
    expect(isUniqueViolation(refused('23505'))).toBe(true);
    expect(isUniqueViolation(refused('23503'))).toBe(false);
  });
});
