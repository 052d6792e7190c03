import { DataType, tableFromArrays, tableToIPC } from 'apache-arrow';
import { deserializeTCompactProtocol } from 'hyparquet/src/thrift.js';
import { Compression, Table, WriterPropertiesBuilder, WriterVersion, writeParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { unpackHadoopLz4 } from '../../lib/parquet/hadoopLz4.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRanges } from '../../lib/parquet/readRowGroup.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { changedHeader, type HeaderFields } from './checksummedShard.ts';
import { memoryFile } from './memoryFile.ts';
import { plainRows, readPlainRows } from './plainValues.ts';
import { relaidShard } from './relaidShard.ts';
import { withMetadata } from './sampleShards.ts';

const rows = {
  id: BigInt64Array.from({ length: 500 }, (_, row) => BigInt(row * row)),
  name: Array.from({ length: 500 }, (_, row) => (row % 4 === 0 ? null : `city ${row % 30}`)),
};

function shardOf(
  version: WriterVersion,
  compression = Compression.UNCOMPRESSED,
  hasDictionaries = true,
): Uint8Array {
  const table = Table.fromIPCStream(tableToIPC(tableFromArrays(rows), 'stream'));
  const properties = new WriterPropertiesBuilder()
    .setWriterVersion(version)
    .setCompression(compression)
    .setDictionaryEnabled(hasDictionaries);
  return writeParquet(table, properties.build());
}

function bigEndian(size: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(size);
  return bytes;
}

/** An LZ4 block of literals alone, behind its size. */
function block(bytes: Uint8Array): Buffer {
  const long = bytes.length - 15;
  const head = long < 0 ? [bytes.length << 4] : [240, ...Array(Math.floor(long / 255)).fill(255), long % 255];
  return Buffer.concat([bigEndian(head.length + bytes.length), Uint8Array.from(head), bytes]);
}

type Framing = (bytes: Uint8Array) => Uint8Array;
const middle = (bytes: Uint8Array) => Math.floor((2 * bytes.length) / 3);
const framings: [string, Framing][] = [
  ['a frame', (bytes) => Buffer.concat([bigEndian(bytes.length), block(bytes)])],
  [
    'two frames, the second one the smaller',
    (bytes) => {
      const parts = [bytes.subarray(0, middle(bytes)), bytes.subarray(middle(bytes))];
      return Buffer.concat(parts.flatMap((part) => [bigEndian(part.length), block(part)]));
    },
  ],
  [
    'a frame of two blocks, and one of none',
    (bytes) =>
      Buffer.concat([
        bigEndian(bytes.length),
        block(bytes.subarray(0, middle(bytes))),
        block(bytes.subarray(middle(bytes))),
        bigEndian(0),
      ]),
  ],
];

/** Of a header: what it says of a page of the second version. */
function secondVersion(header: Uint8Array): HeaderFields | undefined {
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const { field_8: own } = deserializeTCompactProtocol({ view, offset: 0 }) as HeaderFields;
  return own as HeaderFields | undefined;
}

/** A shard whose pages a Hadoop codec has packed: values, and levels of the first version with them. */
function hadoopShard(version: WriterVersion, framing: Framing, hasDictionaries: boolean): Uint8Array {
  const { bytes } = relaidShard(shardOf(version, Compression.UNCOMPRESSED, hasDictionaries), (page) => {
    const { header, body } = page;
    const kind = secondVersion(header);
    const levels = kind ? Number(kind.field_5) + Number(kind.field_6) : 0;
    const packed = Buffer.concat([body.subarray(0, levels), framing(body.subarray(levels))]);
    const change: HeaderFields = { field_3: packed.length };
    if (kind) change.field_8 = { ...kind, field_7: true };
    return { header: changedHeader(header, change), body: packed };
  });
  return withMetadata(bytes, ({ row_groups: groups }) => {
    for (const { columns } of groups) for (const { meta_data: meta } of columns) meta!.codec = 'LZ4';
  });
}

/** Rows, and whether all columns were decoded to indices. */
async function readByIndices(bytes: Uint8Array) {
  const shard = await openShard(memoryFile(bytes));
  const reads = rowGroupReads(shard, 0, ['id', 'name']);
  const buffer = await readRanges(shard.file, reads);
  const dictionaries = new Set(['id', 'name']);
  const batches = decodeRowGroups([{ uri: 'mem', reads, buffer }], { dictionaries });
  return {
    rows: batches.flatMap((batch) => plainRows(batch)),
    areIndices: batches.every(({ schema }) => schema.fields.every(({ type }) => DataType.isDictionary(type))),
  };
}

const expected = Array.from({ length: 500 }, (_, row) => ({ id: rows.id[row], name: rows.name[row] }));

describe('pages that Hadoop has packed by LZ4', () => {
  const versions = [
    ['first', WriterVersion.V1],
    ['second', WriterVersion.V2],
  ] as const;
  const cases = framings.flatMap(([name, framing]) =>
    versions.flatMap(([of, version]) =>
      [true, false].map((hasDictionaries) => ({ name, of, hasDictionaries, framing, version })),
    ),
  );
  it.each(cases)(
    'read right in $name, of the $of version, with dictionaries: $hasDictionaries',
    async ({ framing, version, hasDictionaries }) => {
      const bytes = hadoopShard(version, framing, hasDictionaries);
      expect(await readPlainRows(memoryFile(bytes))).toEqual(expected);
      // Without dictionaries pages of the second version hold differences, which arrow-rs reads.
      const areIndices = hasDictionaries || version === WriterVersion.V1;
      expect(await readByIndices(bytes)).toEqual({ rows: expected, areIndices });
    },
  );

  it('unpack by matches near and far, and are left to arrow-rs where they are damaged', () => {
    // "abc", a match of 3 back that runs into itself, "-", one of 7 back that doesn't; then the last literals.
    const packed = [0x32, 97, 98, 99, 3, 0, 0x10, 45, 7, 0, 0x10, 33];
    const text = 'abcabcabc-abca!';
    const page = Buffer.concat([bigEndian(text.length), bigEndian(packed.length), Uint8Array.from(packed)]);
    const found = unpackHadoopLz4(page, text.length);
    expect(found && Buffer.from(found).toString()).toBe(text);
    expect(unpackHadoopLz4(page, text.length + 1)).toBeUndefined();
    for (let length = 0; length < page.length; length++) {
      expect(unpackHadoopLz4(page.subarray(0, length), text.length)).toBeUndefined();
    }
    const tooFar = Buffer.from(page);
    tooFar[8 + 4] = 4;
    expect(unpackHadoopLz4(tooFar, text.length)).toBeUndefined();
  });

  it('read right as arrow-rs packs them', async () => {
    expect(await readPlainRows(memoryFile(shardOf(WriterVersion.V2, Compression.LZ4)))).toEqual(expected);
  });
});

describe('pages of the second version whose writer counts no nulls', () => {
  it.each([true, false])('read right, with dictionaries: %s', async (hasDictionaries) => {
    const whole = shardOf(WriterVersion.V2, Compression.SNAPPY, hasDictionaries);
    const { bytes } = relaidShard(whole, ({ header, body }) => {
      const kind = secondVersion(header);
      return { header: kind ? changedHeader(header, { field_8: { ...kind, field_2: -1 } }) : header, body };
    });
    expect(bytes).not.toEqual(whole);
    expect(await readPlainRows(memoryFile(bytes))).toEqual(expected);
    expect(await readByIndices(bytes)).toEqual({ rows: expected, areIndices: hasDictionaries });
  });
});
