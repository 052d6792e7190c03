import { describe, expect, test } from 'vitest';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import { type PackedBytes, unpackPages } from '../../lib/parquet/unpackPages.ts';
import { runsOf } from '../../lib/parquet/unpackZstd.ts';

/** A ZSTD frame of one raw block. @param says what it unpacks to */
function frame(text: string, says = text.length): PackedBytes {
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0x20, says, (text.length << 3) | 1, 0, 0];
  return { codec: 'ZSTD', packed: Uint8Array.from([...head, ...Buffer.from(text)]), unpackedBytes: says };
}

/** The same without its size: with a window instead. */
function unsized(text: string, unpackedBytes = text.length): PackedBytes {
  const head = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00, (text.length << 3) | 1, 0, 0];
  return { codec: 'ZSTD', packed: Uint8Array.from([...head, ...Buffer.from(text)]), unpackedBytes };
}

function unpacked(pages: readonly PackedBytes[]): string[] {
  return unpackPages(pages, new ReusedMemory()).map(({ bytes: { bytes }, start, end }) =>
    Buffer.from(bytes.subarray(start, end)).toString(),
  );
}

/** A frame of 128 KiB of zeros: one block. */
function largeFrame(): PackedBytes {
  const packed = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 2, 0, 3, 0, 16, 0);
  return { codec: 'ZSTD', packed, unpackedBytes: 2 ** 17 };
}

describe('ZSTD frames that are unpacked together', () => {
  test('gives every page its bytes, whatever stands between', () => {
    const plain: PackedBytes = { codec: 'UNCOMPRESSED', packed: Buffer.from('as it is'), unpackedBytes: 8 };
    const pages = [frame('one'), frame('three'), plain, unsized('seven'), frame('nine'), frame('x')];
    expect(unpacked(pages)).toEqual(['one', 'three', 'as it is', 'seven', 'nine', 'x']);
  });

  test('are those that say what they unpack to, as many as stand in a row', () => {
    const pages = [
      frame('x'),
      frame('y'),
      unsized('z'),
      unsized('z'),
      largeFrame(),
      largeFrame(),
      frame('y'),
    ];
    expect(runsOf(pages)).toEqual([2, 3, 4, 7].map((end) => expect.objectContaining({ end })));
    expect(unpacked(pages).map(({ length }) => length)).toEqual([1, 1, 1, 1, 2 ** 17, 2 ** 17, 1]);
  });

  test('may be more than one call may unpack', () => {
    const pages = Array.from({ length: 600 }, (_, index) => (index % 2 === 0 ? largeFrame() : frame('x')));
    const sections = unpackPages(pages, new ReusedMemory());
    expect(sections.map(({ start, end }) => end - start)).toEqual(pages.map((page) => page.unpackedBytes));
    for (const [index, { bytes, start, end }] of sections.entries()) {
      const isZero = bytes.bytes.subarray(start, end).every((byte) => byte === 0);
      expect(isZero, `${index}`).toBe(index % 2 === 0);
    }
  });

  test('leave no memory behind where they are refused', () => {
    const broken = { ...largeFrame(), unpackedBytes: 2 ** 24 };
    for (let call = 0; call < 300; call++) expect(() => unpacked([broken])).toThrow("don't unpack to");
    expect(unpacked([frame('still here')])).toEqual(['still here']);
  });

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
  ])('refuses a frame %s: the sum being right is not enough', (_, pages) => {
    expect(() => unpacked(pages)).toThrow();
  });
});
