import {
  type Data,
  DateDay,
  DateMillisecond,
  makeData,
  Null,
  type Timestamp,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { withDayOfPath } from '../../lib/base/dayOfPath.ts';
import { parseContract } from '../../lib/features/contract.ts';
import { fitContract } from '../../lib/features/fitContract.ts';
import { batchOf, columnOf, int64s, streamOf } from './arrowBatches.ts';
import { encoded, encoderOf } from './encodeBatch.ts';

const UNITS = [
  [new TimestampSecond(), 1n, 1000n],
  [new TimestampMillisecond(), 1n, 1n],
  [new TimestampMicrosecond(), 1000n, 1n],
  [new TimestampNanosecond('UTC'), 1_000_000n, 1n],
] as const;

/** Moments of a unit; the slots of nulls hold stale values. */
function moments(
  texts: readonly (string | null)[],
  [type, perMilli, millisPer]: readonly [Timestamp, bigint, bigint] = UNITS[1],
): Data {
  const values = texts.map(
    (text) => (BigInt(Date.parse(text ?? '1999-09-09T09:09:09Z')) * perMilli) / millisPer,
  );
  return makeData({
    ...int64s(texts.map((text) => (text === null ? null : 0n))),
    type,
    data: BigInt64Array.from(values),
  } as never);
}

const days = (texts: readonly (string | null)[]) =>
  columnOf(
    new DateDay(),
    texts.map((text) => (text === null ? null : new Date(text))),
  );
const TIMES = [
  '1970-01-01T00:00:00Z',
  '2024-02-29T23:59:59Z',
  null,
  '1969-12-31T23:59:59Z',
  '2026-11-27T12:30:00Z',
];

/** What a feature makes of a column: the numbers themselves, null where one is missing. */
function valuesOf(from: unknown, columns: Readonly<Record<string, Data>>, day?: string): (number | null)[] {
  const encoder = encoderOf([{ kind: 'numeric', column: 'a', from, standardise: false }]);
  const batch = batchOf(columns);
  const { dense } = encoded(
    encoder,
    day === undefined ? batch : withDayOfPath(batch, `dt=${day}/part.parquet`),
  );
  return Array.from({ length: batch.numRows }, (_, row) =>
    dense[2 * row + 1] === 1 ? null : (dense[2 * row] as number),
  );
}

describe('hour and weekday', () => {
  it.each(UNITS)('are those of UTC in timestamps of %s, before 1970 too', (...unit) => {
    const column = moments(TIMES, unit);
    expect(valuesOf('hour', { a: column })).toEqual([0, 23, null, 23, 12]);
    // Thursday, Thursday, Wednesday, Friday.
    expect(valuesOf('weekday', { a: column })).toEqual([4, 4, null, 3, 5]);
  });

  it('count the last nanosecond of an hour to it, which as a float64 would be the next one', () => {
    const last = [1_700_002_799_999_999_999n, 1_700_002_800_000_000_000n, -1n, -3_600_000_000_000n];
    const data = BigInt64Array.from([...last, -3_600_000_000_001n]);
    const a = makeData({ type: new TimestampNanosecond(), data });
    expect(valuesOf('hour', { a })).toEqual([22, 23, 23, 23, 22]);
  });

  it('are those of the rows of a slice, with their own nulls', () => {
    const texts = Array.from({ length: 20 }, (_, hour) =>
      hour % 3 === 0 ? null : `2024-05-01T${String(hour).padStart(2, '0')}:30:00Z`,
    );
    const sliced = moments(texts).slice(5, 9);
    const hours = [5, null, 7, 8, null, 10, 11, null, 13];
    expect(valuesOf('hour', { a: sliced })).toEqual(hours);
    const ages = hours.map((hour) => (hour === null ? null : 2));
    expect(valuesOf('ageDays', { a: sliced }, '2024-05-03')).toEqual(ages);
  });

  it('agree with Date on every day of a leap year and in every hour', () => {
    const millis = Array.from({ length: 366 }, (_, day) => Date.UTC(2024, 0, 1 + day, day % 24, 59, 59, 999));
    const a = makeData({ type: new TimestampMillisecond(), data: BigInt64Array.from(millis, BigInt) });
    expect(valuesOf('hour', { a })).toEqual(millis.map((each) => new Date(each).getUTCHours()));
    expect(valuesOf('weekday', { a })).toEqual(millis.map((each) => new Date(each).getUTCDay() || 7));
  });

  it('are those of the declared time zone, in summer and winter, where clocks jump and where they are off by half an hour', () => {
    const berlin = { part: 'hour', timeZone: 'Europe/Berlin' };
    const a = moments([
      '2024-01-15T23:30:00Z',
      '2024-07-15T22:30:00Z',
      // Clocks go from 2 to 3 at 1:00 UTC, and from 3 back to 2.
      '2024-03-31T00:59:59Z',
      '2024-03-31T01:00:00Z',
      '2024-10-27T00:59:59Z',
      '2024-10-27T01:00:00Z',
    ]);
    expect(valuesOf(berlin, { a })).toEqual([0, 0, 1, 3, 2, 2]);
    expect(valuesOf({ ...berlin, part: 'weekday' }, { a }).slice(0, 2)).toEqual([2, 2]);
    const of = (timeZone: string) =>
      valuesOf({ part: 'hour', timeZone }, { a: moments(['2024-01-15T18:29:59Z']) });
    expect([of('Asia/Kolkata'), of('America/St_Johns'), of('UTC')]).toEqual([[23], [14], [18]]);
  });

  it('of a date: no zone moves its weekday, and it has no hour', () => {
    const a = days(['2024-02-29', null, '1969-12-31']);
    expect(valuesOf({ part: 'weekday', timeZone: 'America/New_York' }, { a })).toEqual([4, null, 3]);
    const millis = columnOf(new DateMillisecond(), [new Date('2024-02-29')]);
    expect(valuesOf('weekday', { a: millis })).toEqual([4]);
    expect(() => valuesOf('hour', { a })).toThrow(/expected a timestamp column, found Date32<DAY>/);
  });

  it('are ids of an integer table, and missing in a column of nulls', () => {
    const table = { type: 'int', hash: { buckets: 100 } };
    const hours = encoderOf([{ kind: 'categorical', column: 'a', from: 'hour', table }]);
    const integers = encoderOf([{ kind: 'categorical', column: 'a', table }]);
    expect(encoded(hours, batchOf({ a: moments(TIMES) }))).toEqual(
      encoded(integers, batchOf({ a: int64s([0, 23, null, 23, 12]) })),
    );
    const nulls = makeData({ type: new Null(), length: 2 });
    expect(encoded(hours, batchOf({ a: nulls })).singles).toEqual([0, 0]);
  });

  it('are fitted as integers are', async () => {
    const contractOf = (from: object) =>
      parseContract({
        ...{ contractVersion: 1, rowKeys: ['id'] },
        features: [
          { kind: 'bucketed', column: 'a', buckets: 3, ...from },
          { kind: 'numeric', name: 'n', column: 'a', ...from },
        ],
      });
    const found = await fitContract(contractOf({ from: 'hour' }), streamOf(batchOf({ a: moments(TIMES) })));
    const integers = streamOf(batchOf({ a: int64s([0, 23, null, 23, 12]) }));
    const expected = await fitContract(contractOf({}), integers);
    const fitted = ({ contract }: typeof found) =>
      contract.features.map((feature) => 'fitted' in feature && feature.fitted);
    expect(fitted(found)).toEqual(fitted(expected));
  });
});

describe('ageDays', () => {
  const a = moments(['2022-05-01T23:59:59Z', '2022-05-06T00:00:00Z', null, '2022-05-08T01:00:00Z']);

  it('counts days up to the date in the path of the shard', () => {
    expect(valuesOf('ageDays', { a }, '2022-05-06')).toEqual([5, 0, null, -2]);
    expect(valuesOf('ageDays', { a: days(['2022-05-01', null]) }, '2022-05-06')).toEqual([5, null]);
  });

  it('counts days of the declared time zone', () => {
    const from = { part: 'ageDays', timeZone: 'Asia/Tokyo' };
    expect(valuesOf(from, { a }, '2022-05-06')).toEqual([4, 0, null, -2]);
  });

  it('counts up to the column that is declared, row by row, whatever the path says', () => {
    const from = { part: 'ageDays', at: 'b' };
    const b = moments(['2022-05-02T00:00:00Z', null, '2022-05-02T00:00:00Z', '2022-05-08T23:00:00Z']);
    expect(valuesOf(from, { a, b }, '1999-01-01')).toEqual([1, null, null, 0]);
    expect(() => valuesOf(from, { a })).toThrow(expect.objectContaining({ code: 'CONTRACT_COLUMN_MISSING' }));
    expect(() => valuesOf(from, { a, b: int64s([1, 2, 3, 4]) })).toThrow(
      /column 'b'.*expected a date or timestamp column, found Int64/,
    );
  });

  it('is refused where nothing says the day', () => {
    expect(() => valuesOf('ageDays', { a })).toThrow(
      expect.objectContaining({ code: 'SHARD_DAY_UNKNOWN', location: { column: 'a' } }),
    );
  });

  it('is told for each shard of a batch by its own day, back and forth', () => {
    const encoder = encoderOf([{ kind: 'numeric', column: 'a', from: 'ageDays', standardise: false }]);
    const batch = batchOf({ a });
    const on = (day: number) => {
      const rows = {
        singleRows: new Int32Array(0),
        listRows: new Int32Array(0),
        listWeights: new Float32Array(0),
      };
      const into = { ...rows, dense: new Float32Array(2), rowCapacity: 1 };
      encoder.encode(batch, 1, 2, into as never, 0, day);
      return into.dense[0];
    };
    const first = Date.parse('2022-05-06') / 86_400_000;
    expect([on(first), on(first + 7), on(first)]).toEqual([0, 7, 0]);
  });
});

describe("a contract's 'from'", () => {
  const problemsOf = (...features: object[]) => {
    try {
      parseContract({ contractVersion: 1, rowKeys: ['id'], features });
      return [];
    } catch (error) {
      return (error as { problems: string[] }).problems;
    }
  };
  const table = (type: string) => ({ type, hash: { buckets: 5 } });

  it('must make what the table takes', () => {
    expect(
      problemsOf(
        { kind: 'categorical', column: 'a', from: 'hour', table: table('string') },
        { kind: 'categorical', column: 'b', from: 'hex', table: table('int') },
        { kind: 'list', column: 'c', from: 'hex', table: table('int'), maxLength: 1, keep: 'last' },
        { kind: 'numeric', column: 'd', from: { part: 'hour', at: 'e' } },
      ),
    ).toEqual([
      "features.0.from: makes integers, so the table must be of type 'int'",
      "features.1.from: makes text, so the table must be of type 'string'",
      "features.2.from: makes text, so the table must be of type 'string'",
      "features.3.from.at: only ageDays counts up to another column's day",
    ]);
  });

  it('names a time zone that exists, and a part', () => {
    expect(
      problemsOf({ kind: 'numeric', column: 'a', from: { part: 'hour', timeZone: 'Europe/Berlin' } }),
    ).toEqual([]);
    for (const from of [
      'minute',
      { part: 'hour', timeZone: 'Europe/Atlantis' },
      { timeZone: 'UTC' },
      'hex',
    ]) {
      expect(problemsOf({ kind: 'numeric', column: 'a', from })).not.toEqual([]);
    }
  });
});
