import { expect, test } from 'vitest';
import { Ncs4cvrError, ProblemsError } from '../../lib/base/errors.ts';
import { deserialiseError, serialiseError } from '../../lib/base/workerThread.ts';

function overTheWire(error: unknown): Error {
  return deserialiseError(structuredClone(serialiseError(error)));
}

test("an error of ours keeps code, message, place, comparison, retry advice and the worker's stack", () => {
  const error = new Ncs4cvrError('SHARD_PAGE_CORRUPT', 'cannot be decoded', {
    file: 'a.parquet',
    rowGroup: 0,
    column: 'x',
    expected: 'Utf8',
    found: 'garbage',
    retryable: true,
    cause: new Error('inner'),
  });
  const arrived = overTheWire(error) as Ncs4cvrError;
  expect(arrived).toBeInstanceOf(Ncs4cvrError);
  const { code, message, location, expected, found, retryable, stack } = error;
  expect(arrived).toMatchObject({ code, message, location, expected, found, retryable, stack });
});

test('a list of problems keeps its text', () => {
  const error = new ProblemsError('SHARD_COLUMNS', '2 columns cannot be used', ['first', 'second']);
  expect(overTheWire(error).message).toBe(error.message);
});

test.each([new TypeError('a bug'), 'unreachable', undefined, { not: 'an error' }])(
  'anything else thrown becomes an Error with its text: %s',
  (thrown) => {
    const arrived = overTheWire(thrown);
    expect(arrived).toBeInstanceOf(Error);
    expect(arrived.message).toBe(thrown instanceof Error ? thrown.message : String(thrown));
  },
);
