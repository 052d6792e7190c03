import { describe, expect, test } from 'vitest';
import { singleZstdFrame } from '../../lib/parquet/zstdFrame.ts';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** `hello` as it is: one raw block, the last. */
const BLOCK = [(5 << 3) | 1, 0, 0, ...Buffer.from('hello')];

describe('singleZstdFrame', () => {
  test.each([
    ['one byte of size', [...MAGIC, 0x20, 5, ...BLOCK]],
    ['a checksum', [...MAGIC, 0x24, 5, ...BLOCK, 1, 2, 3, 4]],
    ['four bytes of size', [...MAGIC, 0xa0, 5, 0, 0, 0, ...BLOCK]],
    ['eight bytes of size behind a window', [...MAGIC, 0xc0, 0, 5, 0, 0, 0, 0, 0, 0, 0, ...BLOCK]],
    ['a repeated byte', [...MAGIC, 0x20, 5, (5 << 3) | 3, 0, 0, 7]],
    ['two blocks', [...MAGIC, 0x20, 5, (2 << 3) | 0, 0, 0, 1, 2, (3 << 3) | 3, 0, 0, 7]],
  ])('tells what a frame with %s unpacks to', (_, bytes) => {
    expect(singleZstdFrame(Uint8Array.from(bytes))).toMatchObject({ contentBytes: 5 });
  });

  test('two bytes of size hold what one does not', () => {
    const block = [((261 << 3) | 3) & 255, (261 << 3) >> 8, 0, 7];
    expect(singleZstdFrame(Uint8Array.from([...MAGIC, 0x60, 5, 0, ...block]))).toMatchObject({
      contentBytes: 261,
    });
  });

  test('a frame need not say what it unpacks to', () => {
    const frame = singleZstdFrame(Uint8Array.from([...MAGIC, 0x00, 0, ...BLOCK]));
    expect(frame).toMatchObject({ contentBytes: undefined });
  });

  test.each([
    ['nothing', []],
    ['another magic', [0x29, 0xb5, 0x2f, 0xfd, 0x20, 5, ...BLOCK]],
    ['a dictionary', [...MAGIC, 0x21, 9, 5, ...BLOCK]],
    ['a reserved bit', [...MAGIC, 0x28, 5, ...BLOCK]],
    ['two frames', [...MAGIC, 0x20, 5, ...BLOCK, ...MAGIC, 0x20, 5, ...BLOCK]],
    ['a byte too few', [...MAGIC, 0x20, 5, ...BLOCK.slice(0, -1)]],
    ['a checksum that is cut', [...MAGIC, 0x24, 5, ...BLOCK, 1, 2, 3]],
    ['no last block', [...MAGIC, 0x20, 5, 5 << 3, ...BLOCK.slice(1)]],
    ['only a magic', MAGIC],
  ])('tells nothing of %s', (_, bytes) => {
    expect(singleZstdFrame(Uint8Array.from(bytes))).toBeUndefined();
  });
});
