import fc from 'fast-check';
import { snappyUncompress } from 'hyparquet';
import { describe, expect, it, test } from 'vitest';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import { unpackElsewhere } from '../../lib/parquet/unpackElsewhere.ts';
import { unpackedBodies } from './unpackedBodies.ts';

/** How a block continues: bytes as they are, or some that stand so far back once more. */
type Element =
  | { readonly literal: Uint8Array; readonly lengthBytes: number }
  | { readonly back: number; readonly length: number; readonly offsetBytes: 1 | 2 | 4 };

/** What is unpacked, or undefined where the kernel refuses; nothing beside it has been written. */
function unpacked(block: Uint8Array, unpackedBytes: number): Buffer | undefined {
  return unpackedBodies([{ bytes: block, unpackedBytes, isPacked: true }], { codecs: ['SNAPPY'] })[0];
}

/** The same by arrow-rs. */
function unpackedByArrowRs(block: Uint8Array, unpackedBytes: number): Buffer | undefined {
  const page = { codec: 'SNAPPY', packed: block, unpackedBytes } as const;
  try {
    return Buffer.concat([...unpackElsewhere([page], new ReusedMemory())].map(({ bytes }) => bytes));
  } catch {
    return undefined;
  }
}

function lengthOf(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...lengthOf(value >>> 7)];
}

const littleEndian = (value: number, bytes: number) =>
  Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) & 255);

function tagOf(element: Element): number[] {
  if ('literal' in element) {
    const { literal, lengthBytes } = element;
    const less = literal.length - 1;
    if (lengthBytes === 0) return [less << 2, ...literal];
    return [(59 + lengthBytes) << 2, ...littleEndian(less, lengthBytes), ...literal];
  }
  const { back, length, offsetBytes } = element;
  if (offsetBytes === 1) return [1 | ((length - 4) << 2) | ((back >> 8) << 5), back & 255];
  return [(offsetBytes === 2 ? 2 : 3) | ((length - 1) << 2), ...littleEndian(back, offsetBytes)];
}

/** Byte by byte, as the format's description has it. */
function expected(elements: readonly Element[]): number[] {
  const bytes: number[] = [];
  for (const element of elements) {
    if ('literal' in element) for (const byte of element.literal) bytes.push(byte);
    else for (let left = element.length; left > 0; left--) bytes.push(bytes[bytes.length - element.back]!);
  }
  return bytes;
}

const blockOf = (elements: readonly Element[], says = expected(elements).length) =>
  Uint8Array.from([...lengthOf(says), ...elements.flatMap(tagOf)]);

const literals = fc
  .record({
    literal: fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 60 }),
      fc.uint8Array({ minLength: 200, maxLength: 320, size: 'max' }),
    ),
    lengthBytes: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ literal, lengthBytes }) => ({
    literal,
    lengthBytes: Math.max(lengthBytes, literal.length > 256 ? 2 : literal.length > 60 ? 1 : 0),
  }));

/** Elements of which each goes back to what is there, often to the last few bytes: a pattern that repeats. */
const elements: fc.Arbitrary<Element[]> = fc
  .tuple(
    literals,
    fc.array(
      fc.oneof(
        literals,
        fc.record({
          far: fc.oneof(fc.constant(0), fc.nat()),
          near: fc.integer({ min: 1, max: 33 }),
          length: fc.integer({ min: 1, max: 64 }),
          offsetBytes: fc.constantFrom(1 as const, 2 as const, 4 as const),
        }),
      ),
      { maxLength: 40 },
    ),
  )
  .map(([first, others]) => {
    const found: Element[] = [first];
    let size = first.literal.length;
    for (const other of others) {
      if ('literal' in other) {
        found.push(other);
        size += other.literal.length;
        continue;
      }
      const back = Math.min(size, other.near + (other.far % size));
      const isNear = other.offsetBytes === 1 && back < 2048 && other.length >= 4 && other.length <= 11;
      const offsetBytes = other.offsetBytes === 1 && !isNear ? 2 : other.offsetBytes;
      found.push({ back, length: other.length, offsetBytes });
      size += other.length;
    }
    return found;
  });

describe('a block of Snappy', () => {
  test('is unpacked to what its elements say, whatever they are', () => {
    fc.assert(
      fc.property(elements, (some) => {
        const bytes = expected(some);
        expect([...unpacked(blockOf(some), bytes.length)!]).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test('that is damaged is unpacked as arrow-rs does, or refused as it does', () => {
    const bytes = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
    let refused = 0;
    let taken = 0;
    fc.assert(
      fc.property(
        elements,
        fc.array(bytes, { minLength: 1, maxLength: 3 }),
        fc.nat(20),
        (some, changes, cut) => {
          const block = blockOf(some);
          for (const { at, to } of changes) block[at % block.length] = to;
          const damaged = cut === 0 ? block.subarray(0, block.length - 1 - (changes[0]!.at % 4)) : block;
          const sizeBytes = expected(some).length;
          const found = unpacked(damaged, sizeBytes);
          expect(found).toEqual(unpackedByArrowRs(damaged, sizeBytes));
          if (found === undefined) refused++;
          else taken++;
        },
      ),
      { numRuns: 1000 },
    );
    expect(Math.min(refused, taken)).toBeGreaterThan(100);
  });

  const abc = { literal: Buffer.from('abc'), lengthBytes: 0 };
  it.each<[string, Uint8Array, number]>([
    ['without a byte', new Uint8Array(0), 3],
    ['of nothing but a length', Uint8Array.of(3), 3],
    ['whose length never ends', Uint8Array.of(0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), 3],
    ['that says less than its page', blockOf([abc], 2), 3],
    ['that says more than its page', blockOf([abc], 4), 3],
    ['that holds less than it says', blockOf([abc], 4), 4],
    ['that holds more than it says', blockOf([abc, abc], 5), 5],
    ['with a literal beyond its end', blockOf([abc]).subarray(0, -1), 3],
    ['with the length of a literal beyond its end', Uint8Array.of(3, 61 << 2, 2), 3],
    ['with a literal of 4 GiB', Uint8Array.of(3, 63 << 2, 255, 255, 255, 255, 97, 98, 99), 3],
    ['that copies from before its beginning', blockOf([abc, { back: 4, length: 4, offsetBytes: 2 }]), 7],
    ['that copies from 4 GiB back', Uint8Array.of(4, 2 << 2, 97, 98, 99, 3, 255, 255, 255, 255), 4],
    ['that copies from no bytes back', Uint8Array.of(4, 2 << 2, 97, 98, 99, 2, 0, 0), 4],
    [
      'that copies more than there is room for',
      blockOf([abc, { back: 3, length: 64, offsetBytes: 2 }], 9),
      9,
    ],
    [
      'with an offset beyond its end',
      blockOf([abc, { back: 3, length: 4, offsetBytes: 1 }]).subarray(0, -1),
      7,
    ],
  ])('%s is refused', (_, block, unpackedBytes) => {
    expect(unpacked(block, unpackedBytes)).toBeUndefined();
    expect(unpackedByArrowRs(block, unpackedBytes)).toBeUndefined();
  });

  test('takes nothing from behind its end, wherever it is cut, though the rest of it stands there', () => {
    const whole: Element[] = [0, 1, 2, 3, 4].map((lengthBytes) => ({
      literal: Buffer.from('some text'),
      lengthBytes,
    }));
    for (const offsetBytes of [1, 2, 4] as const) whole.push({ back: 9, length: 5, offsetBytes });
    // The last element is another one each time: what is taken for it would make up for all that is missing.
    for (let count = 1; count <= whole.length; count++) {
      const some = whole.slice(0, count);
      const block = blockOf(some);
      const { length: unpackedBytes } = expected(some);
      expect(unpacked(block, unpackedBytes)).toHaveLength(unpackedBytes);
      for (let cut = 0; cut < block.length; cut++) {
        const rest = block.subarray(cut);
        const found = unpackedBodies(
          [
            { bytes: block.subarray(0, cut), unpackedBytes, isPacked: true },
            { bytes: rest, unpackedBytes: rest.length, isPacked: false },
          ],
          { codecs: ['SNAPPY'] },
        );
        expect(found, `${count} elements cut at ${cut}`).toEqual([]);
      }
    }
  });

  test('copies from as far back as an offset can say', () => {
    const literal = Buffer.alloc(2 ** 24 + 2000);
    for (let at = 0; at < literal.length; at += 7) literal.writeUInt32LE(at, at - (at % 4));
    const copies = [
      ...[255, 256, 2047].map((back) => ({ back, length: 11, offsetBytes: 1 as const })),
      ...[32_767, 32_768, 65_535].map((back) => ({ back, length: 64, offsetBytes: 2 as const })),
      ...[65_536, 2 ** 24 - 1, 2 ** 24 + 1000].map((back) => ({ back, length: 64, offsetBytes: 4 as const })),
    ];
    let bytes = literal;
    for (const { back, length } of copies) {
      const start = bytes.length - back;
      bytes = Buffer.concat([bytes, bytes.subarray(start, start + length)]);
    }
    const { length: unpackedBytes } = bytes;
    const head = [...lengthOf(unpackedBytes), 63 << 2, ...littleEndian(literal.length - 1, 4)];
    const block = Buffer.concat([Buffer.from(head), literal, Buffer.from(copies.flatMap(tagOf))]);
    expect(unpacked(block, unpackedBytes)!.equals(bytes)).toBe(true);
  });

  test('of a megabyte is unpacked as hyparquet does, behind pages of other codecs and beside them', () => {
    const pattern = Array.from({ length: 20_000 }, (_, index): Element => {
      if (index % 3 === 0) return { literal: Uint8Array.of(index, index >> 8), lengthBytes: index % 5 };
      return { back: 1 + (index % Math.min(2000, 1 + index)), length: 4 + (index % 8), offsetBytes: 1 };
    });
    const long = { literal: Buffer.alloc(2 ** 20, 'long'), lengthBytes: 3 };
    const block = blockOf([long, ...pattern]);
    const whole = new Uint8Array(expected([long, ...pattern]).length);
    snappyUncompress(block, whole);
    const body = { bytes: block, unpackedBytes: whole.length, isPacked: true };
    const plain = { bytes: Buffer.from('as it is'), unpackedBytes: 8, isPacked: false };
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, (3 << 3) | 1, 0, 0, 97, 98, 99);
    const zstd = { bytes: frame, unpackedBytes: 3, isPacked: true };
    for (const levelBytes of [0, 5]) {
      const found = unpackedBodies([body, plain, zstd, zstd, plain, body], {
        ...{ levelBytes, pagesPerChunk: 2, codecs: ['SNAPPY', 'ZSTD', 'SNAPPY'] },
      });
      expect(found.map(({ length }) => length)).toEqual([whole.length, 8, 3, 3, 8, whole.length]);
      expect(found[0]!.equals(whole) && found[5]!.equals(whole)).toBe(true);
      expect(String(found[2])).toBe('abc');
    }
  });
});
