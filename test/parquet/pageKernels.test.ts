import { describe, expect, test } from 'vitest';
import { PageMemory } from '../../lib/parquet/pageMemory.ts';
import { type Body, unpackedBodies } from './unpackedBodies.ts';

/** A ZSTD frame of one raw block. @param says what it unpacks to */
function frame(text: string, says = text.length): Body {
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, says, (text.length << 3) | 1, 0, 0];
  const bytes = Uint8Array.from([...head, ...Buffer.from(text)]);
  return { bytes, unpackedBytes: says, isPacked: true };
}

/** The same without its size: with a window instead. */
function unsized(text: string, unpackedBytes = text.length): Body {
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, (text.length << 3) | 1, 0, 0];
  return { bytes: Uint8Array.from([...head, ...Buffer.from(text)]), unpackedBytes, isPacked: true };
}

/** A frame of 128 KiB of zeros: one block. */
function largeFrame(): Body {
  const bytes = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 2, 0, 3, 0, 16, 0);
  return { bytes, unpackedBytes: 2 ** 17, isPacked: true };
}

function asItIs(text: string): Body {
  return { bytes: Buffer.from(text), unpackedBytes: text.length, isPacked: false };
}

const together = (bodies: readonly Body[]): Body => ({
  bytes: Buffer.concat(bodies.map(({ bytes }) => bytes)),
  unpackedBytes: bodies.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0),
  isPacked: true,
});

const unpacked = (...given: Parameters<typeof unpackedBodies>) => unpackedBodies(...given).map(String);

describe('bodies of pages', () => {
  test.each([0, 5])('are what each of them unpacks to, behind %i bytes of levels', (levelBytes) => {
    const bodies = [frame('one'), frame('three'), asItIs('as it is'), unsized('seven'), frame('x')];
    for (const pagesPerChunk of [1, 2, 5]) {
      expect(unpacked(bodies, { levelBytes, pagesPerChunk })).toEqual([
        'one',
        'three',
        'as it is',
        'seven',
        'x',
      ]);
    }
  });

  test('may be more than the memory held before', () => {
    const bodies = Array.from({ length: 600 }, (_, index) => (index % 2 === 0 ? largeFrame() : frame('x')));
    const found = unpacked(bodies);
    expect(found.map(({ length }) => length)).toEqual(bodies.map(({ unpackedBytes }) => unpackedBytes));
    for (const [index, text] of found.entries()) expect(/^\0+$/.test(text)).toBe(index % 2 === 0);
  });

  test('hold all frames of a page', () => {
    expect(unpacked([together([frame('one'), unsized('two')]), frame('three')])).toEqual(['onetwo', 'three']);
  });

  test('are none where a page unpacks to nothing, whatever is packed there', () => {
    expect(unpacked([{ ...frame('one'), unpackedBytes: 0 }, frame('two')])).toEqual(['', 'two']);
  });

  test('leave no memory behind where they are refused', () => {
    const broken = { ...largeFrame(), unpackedBytes: 2 ** 24 };
    for (let call = 0; call < 300; call++) expect(unpacked([broken])).toEqual([]);
    expect(unpacked([frame('still here')])).toEqual(['still here']);
  });

  const good = frame('good');
  test.each([
    ['that says more and the one behind it less', [frame('four', 5), frame('six', 2)]],
    [
      'whose header says more and the one behind it less',
      [
        { ...frame('four'), unpackedBytes: 5 },
        { ...frame('six'), unpackedBytes: 2 },
      ],
    ],
    ['without a size, the same', [unsized('four', 5), unsized('six', 2)]],
    ['that unpacks to more than it says', [{ ...unsized('four'), unpackedBytes: 3 }]],
    ['that ends too early', [{ ...frame('four'), bytes: frame('four').bytes.subarray(0, -1) }]],
    [
      'with bytes behind it',
      [{ ...frame('four'), bytes: Buffer.concat([frame('four').bytes, Buffer.from('x')]) }],
    ],
    ['that is none', [{ ...asItIs('four'), isPacked: true }]],
    ['without a byte', [{ bytes: new Uint8Array(0), unpackedBytes: 4, isPacked: true }]],
  ])('end at a frame %s: the sum being right is not enough', (_, bodies) => {
    expect(unpacked([good, ...bodies, good])).toEqual(['good']);
  });
});

test('memory that had to be large is not kept', () => {
  let first: unknown;
  PageMemory.use(8, (pages) => {
    first = pages;
  });
  PageMemory.use(8, (pages) => expect(pages).toBe(first));
  PageMemory.use(2 ** 28, (pages) => expect(pages).toBe(first));
  PageMemory.use(8, (pages) => expect(pages).not.toBe(first));
});

test('memory that is not there is an error, and no more can be placed than was asked for', () => {
  expect(() => PageMemory.use(2 ** 32 - 4096, () => undefined)).toThrow('no memory to unpack and decode');
  PageMemory.use(32, (pages) => {
    pages.place(17);
    expect(() => pages.place(1)).toThrow('no room for 1 bytes more');
  });
});
