import type { CompressionCodec } from 'hyparquet';
import { CompactWriter } from './compactWriter.ts';
import type { PlacedChunk } from './encodeFooter.ts';
import { unpackHadoopLz4 } from './hadoopLz4.ts';
import { PAGE, PAGE_NUMBERS, type PageTable } from './pageTable.ts';
import { PAGE_HEADER_BYTES, type PageKind, writePageHeader } from './writePageHeader.ts';

/** Pages of a chunk as arrow-rs is to get them. */
interface RestatedPages {
  readonly codec: CompressionCodec;
  readonly bytes: Uint8Array;
  /** As in PlacedChunk. */
  readonly dataPageOffset: number;
}

/**
 * Writes the pages of a chunk anew where arrow-rs refuses what other readers take and writers of Java write: Hadoop's LZ4 in several
 * frames, see `unpackHadoopLz4`, and -1 for the nulls of a page whose writer was to leave out statistics.
 * @param table that has the chunk's pages and no others, checked by checkPages, all of them within `buffer`
 * @returns undefined for chunks that need none of it, which is nearly all
 */
export function restatePages(
  buffer: Uint8Array,
  { codec, valueCount }: PlacedChunk,
  table: PageTable,
): RestatedPages | undefined {
  const { numbers, count } = table;
  const isLz4 = codec === 'LZ4';
  if (valueCount === 0 || !(isLz4 || hasUncounted(table))) return undefined;
  const pieces: Uint8Array[] = [];
  let dataPageOffset = 0;
  for (let page = 0; page < count; page++) {
    const at = PAGE_NUMBERS * page;
    const kind = kindOf(numbers, at, isLz4);
    if (kind === undefined) return undefined;
    let unpackedBytes = numbers[at + PAGE.unpackedBytes]!;
    let body = buffer.subarray(numbers[at + PAGE.startByte], numbers[at + PAGE.endByte]);
    if (isLz4 && numbers[at + PAGE.isPacked] === 1) {
      const levelBytes = numbers[at + PAGE.definitionBytes]! + numbers[at + PAGE.repetitionBytes]!;
      const values = unpackHadoopLz4(body.subarray(levelBytes), unpackedBytes - levelBytes);
      if (values === undefined) return undefined;
      body = levelBytes === 0 ? values : Buffer.concat([body.subarray(0, levelBytes), values]);
    }
    if (isLz4) unpackedBytes = body.length;
    const header = new CompactWriter(PAGE_HEADER_BYTES);
    writePageHeader(header, unpackedBytes, body.length, kind);
    const headerBytes = header.finish();
    pieces.push(headerBytes, body);
    if (page === 0 && kind.kind === 'dictionary') dataPageOffset = headerBytes.length + body.length;
  }
  return { codec: isLz4 ? 'UNCOMPRESSED' : codec, bytes: Buffer.concat(pieces), dataPageOffset };
}

function hasUncounted({ numbers, count }: PageTable): boolean {
  for (let page = 0; page < count; page++) {
    if (numbers[PAGE_NUMBERS * page + PAGE.isUncounted] === 1) return true;
  }
  return false;
}

/** Undefined where a header leaves out what it has to say; arrow-rs knows what to say of that. */
function kindOf(numbers: Int32Array, at: number, areUnpacked: boolean): PageKind | undefined {
  const valueCount = numbers[at + PAGE.valueCount]!;
  const encoding = numbers[at + PAGE.encoding]!;
  if (encoding < 0) return undefined;
  if (valueCount < 0)
    return { kind: 'dictionary', valueCount: numbers[at + PAGE.dictionaryCount]!, encoding };
  if (numbers[at + PAGE.version] === 2) {
    const definitionBytes = numbers[at + PAGE.definitionBytes]!;
    const repetitionBytes = numbers[at + PAGE.repetitionBytes]!;
    const isPacked = !areUnpacked && numbers[at + PAGE.isPacked] === 1;
    return { kind: 'dataV2', valueCount, encoding, definitionBytes, repetitionBytes, isPacked };
  }
  const definitionEncoding = numbers[at + PAGE.definitionEncoding]!;
  const repetitionEncoding = numbers[at + PAGE.repetitionEncoding]!;
  if (definitionEncoding < 0 || repetitionEncoding < 0) return undefined;
  return { kind: 'data', valueCount, encoding, definitionEncoding, repetitionEncoding };
}
