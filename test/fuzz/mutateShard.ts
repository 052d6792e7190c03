import { crc32 } from 'node:zlib';
import { type CompressionCodec, type FileMetaData, parquetMetadata } from 'hyparquet';
import type { RandomStream } from '../../lib/base/randomStream.ts';
import { changedHeader } from '../parquet/checksummedShard.ts';
import { type PagePieces, type PlacedPage, relaidShard } from '../parquet/relaidShard.ts';
import { withMetadata } from '../parquet/sampleShards.ts';
import type { FuzzShard } from './fuzzShards.ts';
import { damagedBytes } from './mutateBytes.ts';
import { type PageBomb, pageBombs } from './pageBombs.ts';
import { withAbsurdField } from './thriftSpots.ts';

export interface ShardMutant {
  readonly bytes: Uint8Array;
  /** What was done. */
  readonly damage: string;
  /** `page` where nothing but the bodies of pages was changed, which checksums cover where there are some. */
  readonly where: 'page' | 'elsewhere';
}

const TAIL_BYTES = 8;

/** One of the mutations; each has its share. */
export function mutateShard(shard: FuzzShard, random: RandomStream): ShardMutant {
  const weighted = [
    ...[anywhere, anywhere, inFooter, inFooter, inFooter],
    ...[inPage, inPage, inPage, inHeader, inHeader, inHeader, bombed, contradicting, contradicting, nested],
  ];
  for (;;) {
    try {
      return weighted[random.nextBelow(weighted.length)]!(shard, random);
    } catch (error) {
      // Files of other writers that the tools of these mutations can't take apart are damaged blindly.
      if (!isUnusable(error)) throw error;
      return anywhere(shard, random);
    }
  }
}

function isUnusable(error: unknown): boolean {
  return error instanceof Error && !(error instanceof ReferenceError);
}

function anywhere({ bytes, checksummed = [] }: FuzzShard, random: RandomStream): ShardMutant {
  const { kind, bytes: damaged } = damagedBytes(bytes, random);
  const isInPages =
    damaged.length === bytes.length &&
    damaged.every(
      (byte, at) =>
        byte === bytes[at] || checksummed.some(({ startByte, endByte }) => startByte <= at && at < endByte),
    );
  return { bytes: damaged, damage: `${kind} anywhere`, where: isInPages ? 'page' : 'elsewhere' };
}

function footerOf(bytes: Uint8Array): { readonly before: Uint8Array; readonly footer: Uint8Array } {
  const tail = Buffer.from(bytes).readUInt32LE(bytes.length - TAIL_BYTES);
  const startByte = bytes.length - TAIL_BYTES - tail;
  return { before: bytes.subarray(0, startByte), footer: bytes.subarray(startByte, -TAIL_BYTES) };
}

function withFooter(before: Uint8Array, footer: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([before, footer, length, Buffer.from('PAR1')]);
}

/** Its length stays right, so that it is parsed. */
function inFooter({ bytes }: FuzzShard, random: RandomStream): ShardMutant {
  const { before, footer } = footerOf(bytes);
  if (random.nextBelow(3) === 0) {
    const { kind, bytes: damaged } = damagedBytes(footer, random);
    return { bytes: withFooter(before, damaged), damage: `${kind} in the footer`, where: 'elsewhere' };
  }
  let damaged = footer;
  for (let hit = 0; hit <= random.nextBelow(2); hit++) damaged = withAbsurdField(damaged, random);
  return { bytes: withFooter(before, damaged), damage: 'absurd fields in the footer', where: 'elsewhere' };
}

/** Changes one page, wherever it is. */
function onePage(
  { bytes }: FuzzShard,
  random: RandomStream,
  change: (page: PlacedPage) => PagePieces,
): Uint8Array {
  let count = 0;
  relaidShard(bytes, (page) => {
    count++;
    return page;
  });
  const chosen = random.nextBelow(count);
  let at = 0;
  return relaidShard(bytes, (page) => (at++ === chosen ? change(page) : page)).bytes;
}

function inPage(shard: FuzzShard, random: RandomStream): ShardMutant {
  let kind = '';
  const bytes = onePage(shard, random, ({ header, body }) => {
    const damaged = damagedBytes(body, random, { inPlace: true });
    kind = damaged.kind;
    return { header, body: damaged.bytes };
  });
  return { bytes, damage: `${kind} in a page`, where: 'page' };
}

/** The footer knows where the page is, and how long. */
function inHeader(shard: FuzzShard, random: RandomStream): ShardMutant {
  const bytes = onePage(shard, random, ({ header, body }) => ({
    header: withAbsurdField(header, random),
    body,
  }));
  return { bytes, damage: 'absurd field in a page header', where: 'elsewhere' };
}

/** A small page that unpacks to hundreds of megabytes, whatever its header says of that. */
function bombed(shard: FuzzShard, random: RandomStream): ShardMutant {
  const bombs = pageBombs();
  const bomb = bombs[random.nextBelow(bombs.length)]!;
  const claim = random.nextBelow(2) === 0 ? bomb.unpackedBytes : undefined;
  let place: PlacedPage | undefined;
  const bytes = onePage(shard, random, (page) => {
    place = page;
    return { header: bombHeader(page.header, bomb, claim, shard.checksummed !== undefined), body: bomb.body };
  });
  const changed = withMetadata(bytes, (metadata) => {
    const meta = metadata.row_groups[place!.rowGroup]!.columns[place!.chunk]!.meta_data!;
    meta.codec = bomb.codec as CompressionCodec;
    if (claim !== undefined) meta.total_uncompressed_size = BigInt(claim);
  });
  const what = `${bomb.codec} bomb, ${claim === undefined ? 'hidden' : 'declared'}`;
  return { bytes: changed, damage: what, where: 'elsewhere' };
}

function bombHeader(
  header: Uint8Array,
  { body }: PageBomb,
  claim: number | undefined,
  hasChecksum: boolean,
): Uint8Array {
  return changedHeader(header, {
    field_3: body.length,
    ...(claim === undefined ? {} : { field_2: claim }),
    ...(hasChecksum ? { field_4: crc32(body) | 0 } : {}),
  });
}

const COUNTS = [0n, 1n, 1000n, 2n ** 24n, 2n ** 27n, 2n ** 31n - 1n, 2n ** 33n, 2n ** 53n] as const;

/** A footer that parses, and whose numbers are wrong together or contradict the pages. */
function contradicting({ bytes }: FuzzShard, random: RandomStream): ShardMutant {
  const count = COUNTS[random.nextBelow(COUNTS.length)]!;
  const damages: Readonly<Record<string, (metadata: FileMetaData) => void>> = {
    'row counts': ({ row_groups: groups }) => {
      for (const group of groups) group.num_rows = count;
    },
    'value counts': ({ row_groups: groups }) => {
      for (const { columns } of groups) for (const { meta_data: meta } of columns) meta!.num_values = count;
    },
    'row and value counts': ({ row_groups: groups }) => {
      for (const group of groups) {
        group.num_rows = count;
        for (const { meta_data: meta } of group.columns) meta!.num_values = count;
      }
    },
    'uncompressed sizes': ({ row_groups: groups }) => {
      for (const { columns } of groups)
        for (const { meta_data: meta } of columns) meta!.total_uncompressed_size = count;
    },
    'chunks of one another': ({ row_groups: groups }) => {
      const chunks = groups.flatMap(({ columns }) => columns);
      const [a, b] = [chunks[random.nextBelow(chunks.length)]!, chunks[random.nextBelow(chunks.length)]!];
      [a.meta_data, b.meta_data] = [b.meta_data!, a.meta_data!];
    },
    codecs: ({ row_groups: groups }) => {
      const codecs: CompressionCodec[] = [
        'SNAPPY',
        'GZIP',
        'BROTLI',
        'ZSTD',
        'LZ4',
        'LZ4_RAW',
        'UNCOMPRESSED',
      ];
      const codec = codecs[random.nextBelow(codecs.length)]!;
      for (const { columns } of groups) for (const { meta_data: meta } of columns) meta!.codec = codec;
    },
    'a row group twice': (metadata) => {
      metadata.row_groups.push(metadata.row_groups[0]!);
    },
  };
  const names = Object.keys(damages);
  const name = names[random.nextBelow(names.length)]!;
  const changed = withMetadata(bytes, (metadata) => {
    damages[name]!(metadata);
    // Else the sum would be the only thing to be found.
    metadata.num_rows = metadata.row_groups.reduce((sum, { num_rows: rows }) => sum + rows, 0n);
  });
  return { bytes: changed, damage: `wrong ${name}`, where: 'elsewhere' };
}

/** Schemas of columns within columns, and lists of lists that claim what the file can't hold. */
function nested({ bytes }: FuzzShard, random: RandomStream): ShardMutant {
  if (random.nextBelow(2) === 0) {
    const claim = [0xf9, 0x80, 0x80, 0x80, 0x10];
    const { before, footer } = footerOf(bytes);
    const lists = Array.from({ length: 1 + random.nextBelow(400) }, () => claim).flat();
    // Field 15 of the file's metadata, which is none of the format's, before the struct's end.
    const damaged = Buffer.concat([footer.subarray(0, -1), Uint8Array.from([0x09, 30, ...lists, 0])]);
    return { bytes: withFooter(before, damaged), damage: 'nested lists', where: 'elsewhere' };
  }
  const depth = 1 + random.nextBelow(3000);
  const repetition = random.nextBelow(2) === 0 ? 'OPTIONAL' : 'REPEATED';
  const changed = withMetadata(bytes, (metadata) => {
    const [root, ...columns] = parquetMetadata(bytes).schema;
    const groups = Array.from({ length: depth }, () => ({
      name: 'group',
      num_children: 1,
      repetition_type: repetition as 'OPTIONAL' | 'REPEATED',
    }));
    metadata.schema = [root!, ...groups, ...columns];
  });
  return { bytes: changed, damage: `${depth} groups around a column`, where: 'elsewhere' };
}
