import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Table as ArrowTable, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { Compression, Table, WriterPropertiesBuilder, WriterVersion, writeParquet } from 'parquet-wasm/node';
import parquetjs from 'parquetjs-lite';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { checksummedShard } from '../parquet/checksummedShard.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import type { PageBytes } from '../parquet/relaidShard.ts';
import { sampleShard, writeShard } from '../parquet/sampleShards.ts';

/** A shard that mutants are made of. */
export interface FuzzShard {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Of every page, where all of them have checksums. */
  readonly checksummed?: readonly PageBytes[];
  /** It has the columns of the tiny model: its mutants are scored. */
  readonly isScored?: boolean;
}

/** Larger files of other writers would take most of the time. */
const LARGEST_BYTES = 6_000;

/** Of several writers, encodings, codecs and page versions, with and without checksums. */
export async function fuzzShards(folder: string): Promise<readonly FuzzShard[]> {
  const funnel = funnelShard(funnelRows('2024-03-01', 48), 20);
  const written: FuzzShard[] = [
    { name: 'flat', bytes: sampleShard(60, 30) },
    { name: 'lists', bytes: listShard() },
    { name: 'small pages', bytes: pagedShard() },
    { name: 'funnel', bytes: funnel, isScored: true },
  ];
  const checksummed = written.map(({ bytes, ...shard }): FuzzShard => {
    const { bytes: guarded, pages } = checksummedShard(bytes);
    return { ...shard, name: `${shard.name}, checksums`, bytes: guarded, checksummed: pages };
  });
  return [
    ...written,
    ...checksummed,
    ...arrowRsShards(),
    ...(await parquetjsShards(folder)),
    ...foreignShards(),
  ];
}

function listShard(): Uint8Array {
  return writeShard(
    [{ name: 'ids', data: Array.from({ length: 60 }, (_, row) => (row % 5 === 0 ? null : [row, row + 1])) }],
    {
      schema: [
        { name: 'root', num_children: 1 },
        { name: 'ids', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
        { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
        { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
      ],
    },
  );
}

function pagedShard(): Uint8Array {
  const words = Array.from({ length: 90 }, (_, row) => `word ${row % 6}`);
  const numbers = Array.from({ length: 90 }, (_, row) => (row % 9 === 0 ? null : row * 1.5));
  return writeShard(
    [
      { name: 'word', type: 'STRING', data: words },
      { name: 'number', type: 'DOUBLE', data: numbers },
    ],
    { pageSize: 120 },
  );
}

function arrowRsShards(): FuzzShard[] {
  const rows = [...Array(50).keys()];
  const table = new ArrowTable({
    id: vectorFromArray(BigInt64Array.from(rows, (row) => BigInt(row) * 3n)),
    price: vectorFromArray(Float32Array.from(rows, (row) => row / 3)),
    city: vectorFromArray(
      rows.map((row) => (row % 8 === 0 ? null : `city ${row % 4}`)),
      new Utf8(),
    ),
  });
  const codecs = ['SNAPPY', 'GZIP', 'BROTLI', 'ZSTD', 'LZ4_RAW'] as const;
  return codecs.flatMap((codec) =>
    ([1, 2] as const).map((pageVersion) => {
      const properties = new WriterPropertiesBuilder()
        .setCompression(Compression[codec])
        .setWriterVersion(pageVersion === 1 ? WriterVersion.V1 : WriterVersion.V2)
        .setDataPageSizeLimit(200)
        .build();
      const bytes = writeParquet(Table.fromIPCStream(tableToIPC(table, 'stream')), properties);
      return { name: `arrow-rs, ${codec}, pages ${pageVersion}`, bytes };
    }),
  );
}

async function parquetjsShards(folder: string): Promise<FuzzShard[]> {
  const shards: FuzzShard[] = [];
  for (const useDataPageV2 of [false, true]) {
    const compression = 'GZIP';
    const schema = new parquetjs.ParquetSchema({
      id: { type: 'INT64', compression },
      city: { type: 'UTF8', optional: true, compression },
      tags: { type: 'UTF8', repeated: true, compression },
    });
    const path = join(mkdtempSync(join(folder, 'parquetjs-')), 'shard.parquet');
    const writer = await parquetjs.ParquetWriter.openFile(schema, path, { useDataPageV2, rowGroupSize: 30 });
    for (let row = 0; row < 50; row++) {
      const tags = Array.from({ length: row % 3 }, (_, index) => `tag ${row + index}`);
      await writer.appendRow({ id: row, city: row % 4 === 0 ? null : `city ${row % 5}`, tags });
    }
    await writer.close();
    shards.push({ name: `parquetjs, pages ${useDataPageV2 ? 2 : 1}`, bytes: readFileSync(path) });
  }
  return shards;
}

/** Files of the format's own test data, and damaged ones of the nights; none in a plain clone. */
function foreignShards(): FuzzShard[] {
  if (!hasSharedData) return [];
  return ['parquet-testing/data', 'parquet-testing/bad_data', 'nights/damaged'].flatMap((folder) =>
    readdirSync(sharedData + folder)
      .filter((name) => name.endsWith('.parquet'))
      .map((name) => join(sharedData, folder, name))
      .filter((path) => statSync(path).size <= LARGEST_BYTES)
      .map((path) => ({ name: path.slice(sharedData.length), bytes: readFileSync(path) })),
  );
}
