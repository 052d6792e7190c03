import {
  Binary,
  type DataType,
  DateDay,
  DateMillisecond,
  Field,
  FixedSizeBinary,
  Int8,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Uint64,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keyKindOf, RowKeyBytes } from '../../lib/arrow/rowKeyBytes.ts';
import { keyBytesOf, keyTexts } from '../../lib/arrow/rowKeyText.ts';

type Values = readonly unknown[];

function batchOf(columns: Readonly<Record<string, readonly [type: DataType, values: Values]>>): RecordBatch {
  const entries = Object.entries(columns);
  const children = entries.map(([, [type, values]]) => vectorFromArray(values as unknown[], type).data[0]!);
  const schema = new Schema(entries.map(([name, [type]]) => new Field(name, type, true)));
  const struct = new Struct(schema.fields);
  return new RecordBatch(schema, makeData({ type: struct, length: entries[0]![1][1].length, children }));
}

/** The bytes of every row, as hexadecimal digits. */
function encoded(batch: RecordBatch, columns = batch.schema.fields.map(({ name }) => name)): string[] {
  const keys = new RowKeyBytes(columns);
  keys.use(batch);
  return Array.from({ length: batch.numRows }, (_, row) => {
    const length = keys.read(row);
    return Buffer.from(keys.bytes.subarray(0, length)).toString('hex');
  });
}

function textsOf(type: DataType, values: Values): (string | null)[] {
  return encoded(batchOf({ key: [type, values] })).map(
    (hex) => keyTexts(Buffer.from(hex, 'hex'), [type])[0]!,
  );
}

describe('row keys as bytes', () => {
  it('are equal for equal keys only, across columns of text that could run into each other', () => {
    const text = fc.oneof(
      fc.constantFrom(null, '', 'a', 'b', 'ab', 'a\u0000', '\u0003'),
      fc.string({ maxLength: 3 }),
    );
    const number = fc.oneof(fc.constant(null), fc.bigInt({ min: -3n, max: 3n }));
    const rows = fc.array(fc.tuple(text, text, number), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(rows, (keys) => {
        const column = (index: number) => keys.map((key) => key[index]);
        const bytes = encoded(
          batchOf({ a: [new Utf8(), column(0)], b: [new Utf8(), column(1)], c: [new Int64(), column(2)] }),
        );
        const plain = keys.map((key) =>
          JSON.stringify(key, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)),
        );
        for (let i = 0; i < keys.length; i++) {
          for (let j = 0; j < i; j++) expect(bytes[i] === bytes[j]).toBe(plain[i] === plain[j]);
        }
      }),
    );
  });

  it('are the same whatever the width of an integer, and tell unsigned ones from negative ones', () => {
    const values = [-5, 0, 7];
    const wide = encoded(batchOf({ key: [new Int64(), values.map(BigInt)] }));
    expect(encoded(batchOf({ key: [new Int32(), values] }))).toEqual(wide);
    expect(encoded(batchOf({ key: [new Int8(), values] }))).toEqual(wide);
    const [minusOne] = encoded(batchOf({ key: [new Int64(), [-1n]] }));
    expect(encoded(batchOf({ key: [new Uint64(), [2n ** 64n - 1n]] }))).not.toEqual([minusOne]);
    expect(textsOf(new Uint64(), [2n ** 64n - 1n, 1n])).toEqual(['18446744073709551615', '1']);
    expect(textsOf(new Int64(), [-(2n ** 63n), 2n ** 63n - 1n])).toEqual([
      '-9223372036854775808',
      '9223372036854775807',
    ]);
  });

  it('can be read column by column, in any order of the columns', () => {
    const batch = batchOf({ a: [new Utf8(), ['x', 'y']], b: [new Int32(), [1, 1]] });
    const keys = new RowKeyBytes(['b', 'a']);
    keys.use(batch);
    const rows = [0, 1].map((row) => {
      const first = keys.read(row, 0, 1);
      const head = Buffer.from(keys.bytes.subarray(0, first)).toString('hex');
      keys.read(row, 1);
      return { head, texts: keyTexts(keys.bytes.slice(0, keys.length), [new Int32(), new Utf8()]) };
    });
    expect(rows[0]!.head).toBe(rows[1]!.head);
    expect(rows.map(({ texts }) => texts)).toEqual([
      ['1', 'x'],
      ['1', 'y'],
    ]);
  });

  it('hold values longer than any before', () => {
    const long = 'é'.repeat(5_000);
    expect(textsOf(new Utf8(), ['a', long, ''])).toEqual(['a', long, '']);
  });

  it('keep the columns in front of a value that is longer than the room there was', () => {
    const batch = batchOf({
      first: [new Utf8(), ['a', 'b']],
      second: [new Utf8(), Array(2).fill('x'.repeat(300))],
    });
    const texts = encoded(batch).map((hex) => keyTexts(Buffer.from(hex, 'hex'), [new Utf8(), new Utf8()]));
    expect(texts).toEqual([
      ['a', 'x'.repeat(300)],
      ['b', 'x'.repeat(300)],
    ]);
  });

  it('read as text as people write it: dates, timestamps of every unit, bytes that are no text, null', () => {
    const day = Date.UTC(2024, 2, 9);
    expect(textsOf(new DateDay(), [new Date(day), null])).toEqual(['2024-03-09', null]);
    expect(textsOf(new DateMillisecond(), [new Date(day)])).toEqual(['2024-03-09']);
    const at = day + 1_500;
    for (const type of [new TimestampMillisecond(), new TimestampMicrosecond(), new TimestampNanosecond()]) {
      expect(textsOf(type, [at]), String(type)).toEqual(['2024-03-09T00:00:01.500Z']);
    }
    expect(textsOf(new TimestampSecond(), [day])).toEqual(['2024-03-09T00:00:00.000Z']);
    const bytes = [Uint8Array.of(104, 105), Uint8Array.of(255, 0)];
    expect(textsOf(new Binary(), bytes)).toEqual(['hi', '0xff00']);
    expect(textsOf(new FixedSizeBinary(2), bytes)).toEqual(['hi', '0xff00']);
    const uuid = Uint8Array.from({ length: 16 }, (_, index) => 0x61 + index);
    expect(textsOf(new FixedSizeBinary(16), [uuid])).toEqual(['61626364-6566-6768-696a-6b6c6d6e6f70']);
  });

  it('are of one kind for all integers, and for text and bytes, and of another for each unit of time', () => {
    const kinds = [new Int8(), new Uint64()].map(keyKindOf);
    expect(new Set(kinds).size).toBe(1);
    expect(new Set([new Utf8(), new Binary(), new FixedSizeBinary(4)].map(keyKindOf)).size).toBe(1);
    const times = [new DateDay(), new DateMillisecond(), new TimestampSecond(), new TimestampMicrosecond()];
    expect(new Set([...times.map(keyKindOf), ...kinds]).size).toBe(5);
  });

  it('come from their own text, and from none that no value of the type has', () => {
    const day = Date.UTC(2024, 2, 9);
    const columns: readonly (readonly [DataType, Values])[] = [
      [new Int64(), [-7n, 0n, 2n ** 63n - 1n]],
      [new Uint64(), [2n ** 64n - 1n]],
      [new Utf8(), ['', 'é', '0x00', '12']],
      [new Binary(), [Uint8Array.of(255, 0), Uint8Array.of(104)]],
      [new FixedSizeBinary(16), [new Uint8Array(16).fill(0xfe), new Uint8Array(16).fill(0x41)]],
      [new DateDay(), [new Date(day)]],
      [new DateMillisecond(), [new Date(day)]],
      [new TimestampSecond(), [day]],
      [new TimestampMillisecond(), [day + 1]],
      [new TimestampMicrosecond(), [day + 1]],
      [new TimestampNanosecond(), [day + 1]],
    ];
    for (const [type, values] of columns) {
      const bytes = encoded(batchOf({ key: [type, values] }));
      const texts = textsOf(type, values);
      const again = texts.map((text) => Buffer.from(keyBytesOf(text!, type)!).toString('hex'));
      expect(again, String(type)).toEqual(bytes);
    }
    expect(keyBytesOf('1.5', new Int32())).toBeUndefined();
    expect(keyBytesOf('2024-03-09', new Int32())).toBeUndefined();
    expect(keyBytesOf(String(2n ** 64n), new Uint64())).toBeUndefined();
    expect(keyBytesOf('yesterday', new DateDay())).toBeUndefined();
  });

  it('are refused of a batch that lacks a column', () => {
    const batch = batchOf({ a: [new Int32(), [1]] });
    expect(() => new RowKeyBytes(['a', 'b']).use(batch)).toThrow(/PREDICTION_FILE_INVALID.*'b'/);
  });
});
