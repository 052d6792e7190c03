import { Ncs4cvrError } from '../base/errors.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { MAGIC } from './encodeFooter.ts';

/** Bytes of the first read: enough for the footer of most shards. */
export const FOOTER_READ_BYTES = 64 * 1024;
/** "PAR1" at both ends and the footer's length before the last one. */
const SMALLEST_FILE_BYTES = 12;
/** A corrupt length must not make us allocate gigabytes; footers of real shards have a few megabytes at most. */
const LARGEST_FOOTER_BYTES = 256 * 1024 * 1024;
/** Four bytes of length, four of magic, at the end of the file. */
const TAIL_BYTES = 8;

export interface FooterBytes {
  /** Without its length and magic. */
  readonly footer: Uint8Array;
  /** First byte of the footer in the file; every column chunk ends at or before it. */
  readonly footerStartByte: number;
}

/**
 * Reads the footer with at most two range reads: the last 64 KiB and, if needed, what is missing before them.
 *
 * @param whole all bytes of the file, where they have been read already
 * @param into FOOTER_READ_BYTES for the first read, which the footer may then be a view of
 * @throws Ncs4cvrError SHARD_NOT_PARQUET, SHARD_TRUNCATED, SHARD_ENCRYPTED, SHARD_FOOTER_INVALID; StorageError of the file.
 */
export async function readFooterBytes(
  file: RandomAccessFile,
  { whole, into }: { readonly whole?: Uint8Array | undefined; readonly into?: Uint8Array } = {},
): Promise<FooterBytes> {
  const { uri, sizeBytes } = file;
  if (sizeBytes === 0) {
    throw new Ncs4cvrError('SHARD_NOT_PARQUET', 'the file is empty', { file: uri });
  }
  if (sizeBytes < SMALLEST_FILE_BYTES) {
    throw new Ncs4cvrError('SHARD_TRUNCATED', 'the file is too short for a Parquet file', {
      file: uri,
      expected: `at least ${SMALLEST_FILE_BYTES} bytes`,
      found: `${sizeBytes}`,
    });
  }
  const tailStartByte = whole === undefined ? Math.max(0, sizeBytes - FOOTER_READ_BYTES) : 0;
  const tailBytes = sizeBytes - tailStartByte;
  const tail = whole ?? into?.subarray(0, tailBytes) ?? new Uint8Array(tailBytes);
  if (whole === undefined) await file.readInto(tail, tailStartByte);
  if (!isMagic(tail, tail.length - MAGIC.length)) await refuseMagic(file, tail);
  const footerBytes = checkFooterLength(tail, uri, sizeBytes);
  const footerStartByte = sizeBytes - TAIL_BYTES - footerBytes;
  let all = tail;
  if (footerStartByte < tailStartByte) {
    all = new Uint8Array(footerBytes + TAIL_BYTES);
    const missingBytes = tailStartByte - footerStartByte;
    await file.readInto(all.subarray(0, missingBytes), footerStartByte);
    all.set(tail, missingBytes);
  }
  const footer = all.subarray(all.length - TAIL_BYTES - footerBytes, all.length - TAIL_BYTES);
  return { footer, footerStartByte };
}

function isMagic(bytes: Uint8Array, at: number): boolean {
  return MAGIC.every((byte, index) => bytes[at + index] === byte);
}

/** @throws whatever else stands at the end */
async function refuseMagic(file: RandomAccessFile, tail: Uint8Array): Promise<never> {
  const magic = asText(tail.subarray(-MAGIC.length));
  if (magic === 'PARE') {
    throw new Ncs4cvrError('SHARD_ENCRYPTED', 'the footer is encrypted; encrypted shards are not supported', {
      file: file.uri,
    });
  }
  // A Parquet file that was cut short still starts like one.
  const head = new Uint8Array(MAGIC.length);
  await file.readInto(head, 0);
  const isCut = isMagic(head, 0);
  throw new Ncs4cvrError(
    isCut ? 'SHARD_TRUNCATED' : 'SHARD_NOT_PARQUET',
    isCut ? 'the file ends before its footer does' : 'the file is no Parquet file',
    { file: file.uri, expected: "'PAR1' as the last four bytes", found: JSON.stringify(magic) },
  );
}

function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

function checkFooterLength(tail: Uint8Array, uri: string, sizeBytes: number): number {
  const footerBytes = new DataView(tail.buffer, tail.byteOffset).getUint32(tail.length - TAIL_BYTES, true);
  if (footerBytes > sizeBytes - SMALLEST_FILE_BYTES) {
    throw new Ncs4cvrError('SHARD_TRUNCATED', 'the footer is longer than the file', {
      file: uri,
      expected: `${footerBytes + SMALLEST_FILE_BYTES} bytes or more`,
      found: `${sizeBytes}`,
    });
  }
  if (footerBytes > LARGEST_FOOTER_BYTES) {
    throw new Ncs4cvrError('SHARD_FOOTER_INVALID', 'the footer is too long', {
      file: uri,
      expected: `at most ${LARGEST_FOOTER_BYTES} bytes`,
      found: `${footerBytes}`,
    });
  }
  return footerBytes;
}
