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

describe('labels of the values of a column', () => {
  const event = {
    click: { column: 'event', values: { view: 0, click: 1, order: 1, bot: null } },
    conversion: { column: 'event', values: { click: 0, order: 1, cart: 0.5 } },
  } as const;
  const read = (values: readonly (string | null)[], labels: Parameters<typeof readLabels>[1] = event) =>
    readLabels(batchOf({ event: strings(values) }), labels, place);

  it('are those that the config gives them; null, and what it gives null, is unknown', () => {
    const { click, conversion, counts } = read(['view', 'click', 'order', null, 'bot', 'order']);
    expect([...click]).toEqual([0, 1, 1, UNKNOWN_CLICK, UNKNOWN_CLICK, 1]);
    expect([...conversion]).toEqual([0, 0, 1, 0, 0, 1]);
    expect(counts).toMatchObject({ clicks: 3, unknownClicks: 2, conversions: 2, unknownConversions: 0 });
  });

  it('are refused where the config gives them none, with all such values, and the row of the first', () => {
    expect(() => read(['view', 'click', 'swipe', 'order', 'Click', 'swipe'])).toThrow(
      `SHARD_LABEL_INVALID: part-0.parquet, row group 2, column 'event': row 42 of the shard has no usable label (expected one of "view", "click", "order", "bot", found "swipe", "Click")`,
    );
    const many = Array.from({ length: 30 }, (_, row) => `v${row}`);
    expect(() => read(many)).toThrow(/found "v0", .*"v9" and more\)$/);
  });

  it('of conversions are looked at only in clicked rows', () => {
    const labels = { ...event, conversion: { column: 'event', values: { order: 1 } } };
    expect([...read(['view', 'order'], labels).conversion]).toEqual([0, 1]);
    expect(() => read(['view', 'order', 'click'], labels)).toThrow(/row 42 .*found "click"/);
  });

  it('may be integers, booleans, bytes, and floats as they are written', () => {
    const click = { column: 'event', values: { '1': 0, '2': 1 } } as const;
    const labels = { click, conversion: 'order' };
    const order = doubles([0, 1]);
    for (const column of [
      int64s([1, 2]),
      doubles([1, 2]),
      columnOf(new Binary(), [Buffer.from('1'), Buffer.from('2')]),
    ]) {
      expect([...readLabels(batchOf({ event: column, order }), labels, place).click]).toEqual([0, 1]);
    }
    const flags = columnOf(new Bool(), [false, true]);
    expect([
      ...readLabels(
        batchOf({ event: flags, order }),
        { ...labels, click: { ...click, values: { 0: 0, 1: 1 } } },
        place,
      ).click,
    ]).toEqual([0, 1]);
    const sliced = batchOf({ event: strings(['1', '2', '1']), order: doubles([0, 1, 1]) }).slice(1, 3);
    expect([...readLabels(sliced, labels, place).click]).toEqual([1, 0]);
  });

  it('are never those of a whole number beyond 2^53, whose neighbours are the same float', () => {
    const labels = {
      click: { column: 'event', values: { '9007199254740992': 1 } },
      conversion: 'order',
    } as const;
    const batch = batchOf({ event: int64s([2n ** 53n + 1n]), order: doubles([0]) });
    expect(() => readLabels(batch, labels, place)).toThrow(/found "about 9007199254740992"/);
  });

  it('ask for a column of integers or text, and say what to do about text where none are given', () => {
    const [click, conversion] = labelRequirements({ ...event, conversion: 'order' });
    expect([click!.column, click!.expected]).toEqual(['event', 'an integer or string column (label)']);
    expect([new Utf8(), new Int8(), new Float64()].map((type) => click!.accepts(type))).toEqual([
      true,
      true,
      true,
    ]);
    expect(click!.accepts(new Float32())).toBe(true);
    expect(conversion!.accepts(new Utf8())).toBe(false);
    expect(conversion!.advice!(new Utf8())).toContain('"values": {"click": 1, "view": 0}');
    expect(conversion!.advice!(new Float64())).toBeUndefined();
  });

  it('are 0, 1 or unknown for clicks, up to 1 for conversions, and 1 for one value at least', () => {
    const isValid = (label: object, key = 'click') =>
      labelColumnsSchema.safeParse({ ...columns, [key]: label }).success;
    expect(isValid({ column: 'a', values: { x: 1, y: 0, z: null } })).toBe(true);
    expect(isValid({ column: 'a', values: { x: 1, y: 0.5 } }, 'conversion')).toBe(true);
    for (const values of [{}, { x: 0 }, { x: 1, y: 0.5 }, { x: 1, y: 2 }, { x: 1, y: 'no' }, undefined]) {
      expect(isValid({ column: 'a', values })).toBe(false);
    }
    expect(isValid({ column: 'a', values: { x: 1, y: 1.5 } }, 'conversion')).toBe(false);
    expect(isValid({ column: '', values: { x: 1 } })).toBe(false);
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

  it('gives a user the same key from integers of any width, floats and decimals, and null for NaN', () => {
    const floats = columnOf(new Float64(), [7, null, Number.NaN, 2 ** 53 - 1]);
    expect(readUsers(batchOf({ user: floats }), 'user')).toEqual([7, null, null, 2 ** 53 - 1]);
    expect(readUsers(batchOf({ user: int64s([7, null, -7]) }), 'user')).toEqual([7, null, -7]);
    expect(readUsers(batchOf({ user: columnOf(new Int8(), [7, null, -7]) }), 'user')).toEqual([7, null, -7]);
    const words = Uint32Array.of(7, 0, 0, 0, 1, 2 ** 21, 0, 0, 2, 2 ** 21, 0, 0);
    const decimals = makeData({ type: new Decimal(0, 38, 128), length: 3, nullCount: 0, data: words });
    expect(readUsers(batchOf({ user: decimals }), 'user')).toEqual([7, 2n ** 53n + 1n, 2n ** 53n + 2n]);
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
