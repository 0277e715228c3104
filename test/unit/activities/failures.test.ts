import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { toFailure, withFailures } from '../../../activities/failures.ts';
import { DomainError, ERROR_CODES, type ErrorCode } from '../../../domain/errors.ts';

describe('a failure of an activity', () => {
  it.each(Object.keys(ERROR_CODES) as ErrorCode[])(
    'keeps the code %s, and is retried as the catalogue says',
    (code) => {
      const failure = toFailure(new DomainError(code, 'it broke'));
      expect(failure).toMatchObject({ type: code, message: 'it broke', nonRetryable: !ERROR_CODES[code].retryable });
    },
  );

  it('names every problem in its message, for people, and in its details, for programs', () => {
    const problems = [{ field: 'version', message: 'is not known', allowed: ['1', '2'] }];
    const failure = toFailure(new DomainError('notFound', 'No such version', problems));
    const message = 'No such version: version: is not known (allowed: 1, 2)';
    expect(failure).toMatchObject({ message, details: [problems] });
  });

  it('is retried when nobody foresaw it', () => {
    expect(toFailure(new TypeError('x is undefined'))).toMatchObject({ type: 'internal', nonRetryable: false });
    expect(toFailure('thrown text')).toMatchObject({ type: 'internal', message: 'thrown text' });
  });

  it("passes Temporal's own through", () => {
    const cancelled = new CancelledFailure('stop');
    expect(toFailure(cancelled)).toBe(cancelled);
    const failure = ApplicationFailure.create({ type: 'conflict' });
    expect(toFailure(failure)).toBe(failure);
  });

  it('is translated wherever it comes from', async () => {
    const wrapped = withFailures({
      works: (input: number) => Promise.resolve(input + 1),
      breaks: () => Promise.reject(new DomainError('unavailable', 'no database')),
      throws: (): Promise<void> => {
        throw new DomainError('refused', 'no');
      },
    });
    expect(await wrapped.works(1)).toBe(2);
    await expect(wrapped.breaks()).rejects.toMatchObject({ type: 'unavailable', nonRetryable: false });
    await expect(wrapped.throws()).rejects.toMatchObject({ type: 'refused', nonRetryable: true });
  });
});
