import { Binary, Bool, type DataType, Decimal, Float32, Float64, Int8, makeData, Utf8 } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { UNKNOWN_CLICK } from '../../lib/base/tasks.ts';
import {
  addLabelCounts,
  labelColumnsSchema,
  labelRequirements,
  readLabels,
  readUsers,
} from '../../lib/features/readLabels.ts';
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

  const unknowns = batchOf({
    click: doubles([1, null, 0, 1, Number.NaN, 1, 0, 0]),
    play_rate: doubles([0.25, 7, null, null, 1, Number.NaN, 0.5, -1]),
  });

  it('takes null and NaN for unknown, and counts them and the conversions without a click', () => {
    const { click, conversion, counts } = readLabels(unknowns, columns, place);
    expect([...click]).toEqual([1, UNKNOWN_CLICK, 0, 1, UNKNOWN_CLICK, 1, 0, 0]);
    expect([...conversion]).toEqual([0.25, 0, 0, Number.NaN, 0, Number.NaN, 0, 0]);
    expect(counts).toEqual({
      rows: 8,
      clicks: 3,
      unknownClicks: 2,
      conversions: 0.25,
      unknownConversions: 2,
      immatureConversions: 0,
      conversionsWithoutClick: 1,
    });
    expect(addLabelCounts(counts, counts)).toMatchObject({ rows: 16, conversions: 0.5, unknownClicks: 4 });
  });

  it('knows no conversion of a day that is too young, a positive one no more than a missing one', () => {
    const { click, conversion, counts } = readLabels(unknowns, columns, place, false);
    expect([...click]).toEqual([1, UNKNOWN_CLICK, 0, 1, UNKNOWN_CLICK, 1, 0, 0]);
    expect([...conversion]).toEqual([Number.NaN, 0, 0, Number.NaN, 0, Number.NaN, 0, 0]);
    expect(counts).toMatchObject({
      clicks: 3,
      conversions: 0,
      unknownConversions: 0,
      immatureConversions: 3,
    });
  });

  it.each([
    [[1, 2], [0, 0], 'click', '2', '0 or 1'],
    [[1, 0.5], [0, 0], 'click', '0.5', '0 or 1'],
    [[0, 1], [9, 1.01], 'play_rate', '1.01', '0 to 1'],
    [[0, 1], [9, -0.01], 'play_rate', '-0.01', '0 to 1'],
  ])(
    'refuses clicks %j with conversions %j, naming the row group, row and column, what it found and expected',
    (clicks, rates, column, found, expected) => {
      const error = errorOf(batchOf({ click: doubles(clicks), play_rate: doubles(rates) }));
      expect(error.message).toContain('row 41 of the shard');
      expect([error.code, error.location, error.found, error.expected]).toEqual([
        'SHARD_LABEL_INVALID',
        { file: 'part-0.parquet', rowGroup: 2, column },
        found,
        expected,
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

  it('gives bytes as text that can be compared, one character for each byte', () => {
    const bytes = columnOf(new Binary(), [Uint8Array.of(0xff, 65), null, Uint8Array.of(0xfe, 65)]);
    expect(readUsers(batchOf({ user: bytes }), 'user')).toEqual(['\u00ffA', null, '\u00feA']);
  });

  it('gives numbers for users in a column of floats or decimals, and null for NaN', () => {
    const floats = columnOf(new Float64(), [7, null, Number.NaN, 2 ** 53 - 1]);
    expect(readUsers(batchOf({ user: floats }), 'user')).toEqual([7, null, null, 2 ** 53 - 1]);
    const words = Uint32Array.of(7, 0, 0, 0, 8, 0, 0, 0);
    const decimals = makeData({ type: new Decimal(0, 38, 128), length: 2, nullCount: 0, data: words });
    expect(readUsers(batchOf({ user: decimals }), 'user')).toEqual(['7', '8']);
  });

  it('gives null for every row of a shard without the column', () => {
    expect(readUsers(batchOf({ other: int64s([1, 2]) }), 'user')).toEqual([null, null]);
  });
});

describe('labelRequirements', () => {
  it('asks for both labels as numbers, and for a user that can be grouped by when one is named', () => {
    const requirements = labelRequirements({ ...columns, user: 'uid' });
    expect(requirements.map(({ column, required, expected }) => [column, required, expected])).toEqual([
      ['click', true, 'a number column (label)'],
      ['play_rate', true, 'a number column (label)'],
      ['uid', true, 'an integer or string column (user)'],
    ]);
    const types: DataType[] = [new Bool(), new Int8(), new Float32(), new Utf8(), new Binary()];
    expect(requirements.map(({ accepts }) => types.filter(accepts).map(String))).toEqual([
      ['Bool', 'Int8', 'Float32'],
      ['Bool', 'Int8', 'Float32'],
      ['Bool', 'Int8', 'Float32', 'Utf8', 'Binary'],
    ]);
    expect(labelRequirements(columns).map(({ column }) => column)).toEqual(['click', 'play_rate']);
  });
});

describe('labelColumnsSchema', () => {
  it('takes a user or none and a wait in whole days, and refuses a column without a name', () => {
    const isValid = (document: object) => labelColumnsSchema.safeParse(document).success;
    expect(isValid(columns)).toBe(true);
    expect(isValid({ click: 'c', conversion: 'v', user: 'u' })).toBe(true);
    for (const matureAfter of ['1d', '30d']) expect(isValid({ ...columns, matureAfter })).toBe(true);
    for (const matureAfter of ['0d', '3', '3h', '1.5d', '-1d', 3]) {
      expect(isValid({ ...columns, matureAfter }), String(matureAfter)).toBe(false);
    }
    for (const key of ['click', 'conversion', 'user']) {
      expect(isValid({ click: 'c', conversion: 'v', user: 'u', [key]: '' })).toBe(false);
    }
  });
});
