import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** The body of a page, small for what it unpacks to. */
export interface PageBomb {
  readonly codec: string;
  readonly body: Uint8Array;
  readonly unpackedBytes: number;
}

const GIB = 2 ** 30;
const ZSTD_BLOCK_BYTES = 128 * 1024;

let bombs: readonly PageBomb[] | undefined;

/** Zeros, a gigabyte or two of them, by every codec; made once. */
export function pageBombs(): readonly PageBomb[] {
  bombs ??= [gzip(), brotli(), zstd(), zstd(2 * GIB - ZSTD_BLOCK_BYTES), snappy(), lz4()];
  return bombs;
}

/** Members one after the other, as the format allows. */
function gzip(): PageBomb {
  const memberBytes = 32 * 2 ** 20;
  const member = gzipSync(Buffer.alloc(memberBytes));
  const members = GIB / memberBytes;
  return {
    codec: 'GZIP',
    body: Buffer.concat(Array.from({ length: members }, () => member)),
    unpackedBytes: GIB,
  };
}

function brotli(): PageBomb {
  const unpackedBytes = GIB / 4;
  const params = { [constants.BROTLI_PARAM_QUALITY]: 1 };
  return {
    codec: 'BROTLI',
    body: brotliCompressSync(Buffer.alloc(unpackedBytes), { params }),
    unpackedBytes,
  };
}

/** A frame without a size, of blocks that are one byte repeated, https://www.rfc-editor.org/rfc/rfc8878 */
function zstd(unpackedBytes = GIB): PageBomb {
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  // No checksum, no size; a window of 128 KiB.
  const head = [...magic, 0x00, (17 - 10) << 3];
  const count = unpackedBytes / ZSTD_BLOCK_BYTES;
  const blocks = Buffer.alloc(4 * count);
  for (let block = 0; block < count; block++) {
    const isLast = block + 1 === count ? 1 : 0;
    blocks.writeUIntLE((ZSTD_BLOCK_BYTES << 3) | (1 << 1) | isLast, 4 * block, 3);
  }
  return { codec: 'ZSTD', body: Buffer.concat([Uint8Array.from(head), blocks]), unpackedBytes };
}

/** Nothing but a length of 2 GiB, and a literal. */
function snappy(): PageBomb {
  return {
    codec: 'SNAPPY',
    body: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07, 0x00, 0x00),
    unpackedBytes: 2 * GIB - 1,
  };
}

/** A literal, and a match whose length goes on and on. */
function lz4(): PageBomb {
  const repeats = 2 ** 20;
  const body = Buffer.concat([
    Uint8Array.of(0x1f, 0x00, 0x01, 0x00),
    Buffer.alloc(repeats, 0xff),
    Uint8Array.of(0x00, 0x50, 0, 0, 0, 0, 0),
  ]);
  return { codec: 'LZ4_RAW', body, unpackedBytes: 255 * repeats + 25 };
}
