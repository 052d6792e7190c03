import {
  Binary,
  type DataType,
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
  Uint32,
  Uint64,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { KeyFingerprints } from '../../lib/keys/keyFingerprints.ts';
import { keyColumns, keyData } from '../arrow/keyColumns.ts';

/** Fingerprints as 16 hexadecimal digits, of columns with these values. */
function fingerprintsOf(...columns: readonly (readonly [DataType, readonly unknown[]])[]): string[] {
  const children = columns.map(([type, values]) => vectorFromArray(values, type).data[0]!);
  const fields = columns.map(([type], index) => new Field(`k${index}`, type, true));
  return ofBatch(fields, children);
}

function ofBatch(fields: readonly Field[], children: readonly ReturnType<typeof keyData>[]): string[] {
  const schema = new Schema([...fields]);
  const { length } = children[0]!;
  const data = makeData({ type: new Struct([...fields]), length, children: [...children] });
  const { lows, highs } = new KeyFingerprints(
    schema,
    fields.map(({ name }) => name),
  ).of(new RecordBatch(schema, data));
  const digits = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
  return Array.from({ length }, (_, row) => digits(highs[row]!) + digits(lows[row]!));
}

const distinct = (texts: readonly string[]) => new Set(texts).size;
const strings = (...values: readonly (string | null)[]) => [new Utf8(), values] as const;

describe('fingerprints of keys', () => {
  test('differ where the same bytes are cut into columns otherwise, and by every trailing zero', () => {
    const pairs = [
      ...[
        ['ab', 'c'],
        ['a', 'bc'],
        ['', 'abc'],
        ['abc', ''],
        ['abcdefgh', ''],
        ['', 'abcdefgh'],
        ['abcdefgh\x80\0\0\0\0\0\0\0', ''],
        ['abcdefgh', '\x80\0\0\0\0\0\0\0'],
      ],
      ...Array.from({ length: 24 }, (_, zeros) => ['a'.padEnd(zeros + 1, '\0'), 'x']),
      ...Array.from({ length: 24 }, (_, zeros) => ['', '\0'.repeat(zeros + 1)]),
    ];
    const found = fingerprintsOf(
      strings(...pairs.map(([one]) => one!)),
      strings(...pairs.map(([, other]) => other!)),
    );
    expect(distinct(found)).toBe(pairs.length);
  });

  test('differ for distinct tuples of short strings and small integers, of which there are millions of pairs', () => {
    const texts = ['', 'a', 'b', 'aa', 'ab', 'ba', '0', '1', '\0', 'aaaa', 'aaaaa', 'aaaaaaaaaaaaa', 'é'];
    const numbers = [-2, -1, 0, 1, 2, 255, 256, 65_536, 2 ** 31 - 1, -(2 ** 31), null];
    const tuples: [string, number | null, string][] = [];
    for (const one of texts)
      for (const number of numbers) for (const other of texts) tuples.push([one, number, other]);
    const found = fingerprintsOf(
      strings(...tuples.map(([one]) => one)),
      [new Int32(), tuples.map(([, number]) => number)],
      strings(...tuples.map(([, , other]) => other)),
    );
    expect(distinct(found)).toBe(tuples.length);
  });

  test('never collide for one integer column: 400,000 neighbours, multiples of 2^32, and their mirror images', () => {
    const values = new Set<bigint>();
    for (let each = 0n; each < 100_000n; each++) {
      for (const value of [each, each << 32n, (each << 32n) | each, -each]) values.add(value);
    }
    const found = fingerprintsOf([new Int64(), [...values]]);
    expect(distinct(found)).toBe(values.size);
  });

  test('differ by order and by columns: (1, 2), (2, 1), (1), (3)', () => {
    const [oneTwo, twoOne] = fingerprintsOf([new Int64(), [1n, 2n]], [new Int64(), [2n, 1n]]);
    const [one, three] = fingerprintsOf([new Int64(), [1n, 3n]]);
    expect(distinct([oneTwo!, twoOne!, one!, three!])).toBe(4);
  });

  test('are those of the value, whatever the width of an integer or the type of bytes', () => {
    const values = [0, 1, 100, 127];
    const wide = fingerprintsOf([new Int64(), values.map(BigInt)]);
    for (const type of [new Int8(), new Int32(), new Uint32()]) {
      expect(fingerprintsOf([type, values])).toEqual(wide);
    }
    expect(fingerprintsOf([new Uint64(), values.map(BigInt)])).toEqual(wide);
    const bytes = [Uint8Array.of(1, 0, 255)];
    expect(fingerprintsOf([new Binary(), bytes])).toEqual(fingerprintsOf([new FixedSizeBinary(3), bytes]));
  });

  test('tell 2^64 - 1 from -1, nulls from every value, a string from bytes, milli- from microseconds', () => {
    const found = [
      ...fingerprintsOf([new Int64(), [-1n, 0n, null]]),
      ...fingerprintsOf([new Uint64(), [2n ** 64n - 1n, 2n ** 63n]]),
      ...fingerprintsOf([new Uint32(), [2 ** 32 - 1]]),
      ...fingerprintsOf(strings('', 'ab', 'null', null)),
      ...fingerprintsOf([new Binary(), [Uint8Array.of(97, 98)]]),
      ...fingerprintsOf([new TimestampMillisecond(), [1_000]]),
      ...fingerprintsOf([new TimestampMicrosecond(), [1_000]]),
    ];
    expect(distinct(found)).toBe(found.length);
  });

  test('take every type that a row key may have, and nulls in it', () => {
    for (const column of keyColumns.slice(1)) {
      const found = ofBatch([column.field], [keyData(column, 0, 49)]);
      // Nulls in rows 3, 10, ...
      expect(distinct(found.filter((_, row) => row % 7 === 3))).toBe(1);
      const values = found.filter((_, row) => row % 7 !== 3);
      expect(values).not.toContain(found[3]);
      const wanted = found.map((_, row) => column.valueAt(row)).filter((value) => value !== null);
      expect(distinct(values)).toBe(distinct(wanted.map(String)));
    }
  });

  test('change in half of their bits, each about as often, when one bit of the key changes', () => {
    const random = new RandomStream(7);
    const keys = Array.from(
      { length: 200 },
      () => (BigInt(random.nextBelow(2 ** 31)) << 32n) + BigInt(random.nextBelow(2 ** 31)),
    );
    const before = fingerprintsOf([new Int64(), keys]);
    const flips = new Float64Array(64);
    for (let bit = 0n; bit < 64n; bit++) {
      const after = fingerprintsOf([new Int64(), keys.map((key) => BigInt.asIntN(64, key ^ (1n << bit)))]);
      before.forEach((one, row) => {
        let changed = BigInt(`0x${one}`) ^ BigInt(`0x${after[row]}`);
        for (let at = 0; changed > 0n; at++, changed >>= 1n) flips[at]! += Number(changed & 1n);
      });
    }
    // 12,800 tosses each: the deviation is .0044.
    for (const count of flips) expect(Math.abs(count / 12_800 - 0.5)).toBeLessThan(0.025);
  });
});
