import { Bool, Int8 } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { readLabels, readUsers } from '../../lib/features/readLabels.ts';
import { batchOf, columnOf, doubles, int64s, strings } from './arrowBatches.ts';

const place = { file: 'part-0.parquet', rowGroup: 2, rowStart: 40 };
const columns = { click: 'click', conversion: 'play_rate' };

function errorOf(batch: Parameters<typeof readLabels>[0]): Ncs4cvrError {
  try {
    readLabels(batch, columns, place);
  } catch (error) {
    expect(error).toBeInstanceOf(Ncs4cvrError);
    return error as Ncs4cvrError;
  }
  throw new Error('readLabels accepted the batch');
}

describe('readLabels', () => {
  it('reads soft conversions of clicked rows and ignores those of other rows, null or out of range', () => {
    const batch = batchOf({
      click: columnOf(new Int8(), [1, 0, 0, 1, 0]),
      play_rate: doubles([0.25, 0.75, null, 1, 7]),
    });
    const { click, conversion } = readLabels(batch, columns, place);
    expect([...click]).toEqual([1, 0, 0, 1, 0]);
    expect([...conversion]).toEqual([0.25, 0, 0, 1, 0]);
  });

  it('takes booleans as 0 and 1, in a sliced batch too', () => {
    const flags = columnOf(new Bool(), [true, true, false, true]);
    const batch = batchOf({ click: flags, play_rate: flags }).slice(1, 4);
    const { click, conversion } = readLabels(batch, columns, place);
    expect([...click, ...conversion]).toEqual([1, 0, 1, 1, 0, 1]);
  });

  it.each([
    [[1, 2], [0, 0], 'click', '2'],
    [[1, null], [0, 0], 'click', 'null or NaN'],
    [[1, 0.5], [0, 0], 'click', '0.5'],
    [[0, 1], [9, 1.01], 'play_rate', '1.01'],
    [[0, 1], [9, -0.01], 'play_rate', '-0.01'],
    [[0, 1], [9, null], 'play_rate', 'null or NaN'],
  ])(
    'refuses clicks %j with conversions %j, naming the row group, the row, the column and what it found',
    (clicks, rates, column, found) => {
      const error = errorOf(batchOf({ click: doubles(clicks), play_rate: doubles(rates) }));
      expect(error.message).toContain('row 41 of the shard');
      expect([error.code, error.location, error.found]).toEqual([
        'SHARD_LABEL_INVALID',
        { file: 'part-0.parquet', rowGroup: 2, column },
        found,
      ]);
    },
  );

  it('names the label column that a shard lacks', () => {
    const error = errorOf(batchOf({ click: doubles([1]) }));
    expect([error.code, error.location.column]).toEqual(['SHARD_COLUMN_MISSING', 'play_rate']);
  });
});

describe('readUsers', () => {
  it('tells users beyond 2^53 apart and gives null for none', () => {
    const users = readUsers(batchOf({ user: int64s([2n ** 53n, null, 2n ** 53n + 1n], 5n) }), 'user');
    expect(users).toEqual([2n ** 53n, null, 2n ** 53n + 1n]);
    expect(readUsers(batchOf({ user: strings(['a', null, 'a']) }), 'user')).toEqual(['a', null, 'a']);
  });
});
