// Decoding whole shards, rows per CPU-second of the process: `npx vitest bench --run bench/parquet`.
// Every round runs each reader once, in turn; the table at the end gives medians over the rounds. What is read: the real
// shards of ../shared/data that every reader can open (Snappy), left out when they are missing, and one generated shard.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { tableFromIPC } from 'apache-arrow';
import { parquetMetadata, parquetRead } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import pl from 'nodejs-polars';
import { ParquetFile } from 'parquet-wasm/node';
import { ParquetReader } from 'parquetjs-lite';
import { afterAll, bench } from 'vitest';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { memoryFile } from '../../test/parquet/memoryFile.ts';
import { medianOf } from '../medianOf.ts';

const ROUNDS = 9;
const sharedShards = fileURLToPath(new URL('../../../shared/data/kuairand-pure/', import.meta.url));
const COLUMNS = ['user_id', 'video_id', 'tab', 'duration_ms', 'video_type', 'tags', 'click'];

interface Shard {
  readonly bytes: Buffer;
  readonly columns: string[];
}

type Reader = (shard: Shard) => Promise<number>;

/** Each returns the number of values it produced in the first column, so that no result goes unused. */
const readers: Record<string, Reader> = {
  'lib/parquet': async ({ bytes, columns }) => {
    let rows = 0;
    for await (const { batch } of readRecordBatches(await openShard(memoryFile(bytes)), columns)) {
      rows += batch.getChildAt(0)!.length;
    }
    return rows;
  },
  'parquet-wasm async': async ({ bytes, columns }) => {
    const file = await ParquetFile.fromFile(new Blob([bytes]));
    const table = tableFromIPC(
      (await file.read({ columns, batchSize: 65_536, concurrency: 1 })).intoIPCStream(),
    );
    file.free();
    return table.getChildAt(0)!.length;
  },
  hyparquet: async ({ bytes, columns }) => {
    let rows = 0;
    await parquetRead({
      file: {
        byteLength: bytes.length,
        slice: (start, end) => Uint8Array.from(bytes.subarray(start, end)).buffer,
      },
      columns,
      compressors,
      onChunk: ({ columnName, rowStart, rowEnd }) => {
        if (columnName === columns[0]) rows += rowEnd - rowStart;
      },
    });
    return rows;
  },
  'parquetjs-lite': async ({ bytes, columns }) => {
    const reader = await ParquetReader.openBuffer(bytes);
    const cursor = reader.getCursor(columns.map((column) => [column]));
    let rows = 0;
    for (let row = await cursor.next(); row !== null; row = await cursor.next()) rows += 1;
    await reader.close();
    return rows;
  },
};

function realShards(wanted?: string[]): Shard[] {
  if (!existsSync(sharedShards)) return [];
  return readdirSync(sharedShards)
    .filter((name) => name.startsWith('dt='))
    .flatMap((day) => {
      const bytes = readFileSync(`${sharedShards}${day}/part-0.parquet`);
      const { row_groups: rowGroups } = parquetMetadata(bytes);
      if (rowGroups.some(({ columns }) => columns[0]!.meta_data!.codec !== 'SNAPPY')) return [];
      const names = rowGroups[0]!.columns.map(({ meta_data: meta }) => meta!.path_in_schema[0]!);
      return [{ bytes, columns: wanted ?? [...new Set(names)] }];
    });
}

function generatedShard(): Buffer {
  const rowCount = 400_000;
  const column = <T>(value: (row: number) => T): T[] =>
    Array.from({ length: rowCount }, (_, row) => value(row));
  return pl
    .DataFrame({
      user_id: column((row) => (row * 7919) % 30_011),
      video_id: column((row) => (row * 104_729) % 9973),
      tab: column((row) => row % 14),
      duration_ms: column((row) => ((row * 31) % 60_000) / 2),
      video_type: column((row) => `type ${row % 3}`),
      tags: column((row) => Array.from({ length: row % 4 }, (_, index) => `tag ${(row + index) % 60}`)),
      click: column((row) => row % 2),
    })
    .writeParquet({ compression: 'snappy' }) as Buffer;
}

const inputs: Record<string, Shard[]> = {
  'real shards, all columns': realShards(),
  'real shards, seven columns': realShards(COLUMNS),
  'generated shard, seven columns': [{ bytes: generatedShard(), columns: COLUMNS }],
};
const table: Record<string, string>[] = [];
// Hooks run last registered first, so this one comes after those that fill the table.
afterAll(() => console.table(table));

for (const [inputName, shards] of Object.entries(inputs)) {
  if (shards.length === 0) continue;
  const rowCount = shards.reduce((sum, { bytes }) => sum + Number(parquetMetadata(bytes).num_rows), 0);
  const cpuSeconds = new Map<string, number[]>(Object.keys(readers).map((name) => [name, []]));
  const failures = new Map<string, string>();

  bench(
    `one round of every reader: ${inputName}, ${rowCount} rows, ${shards.length} files`,
    async () => {
      for (const [name, read] of Object.entries(readers)) {
        if (failures.has(name)) continue;
        const before = process.cpuUsage();
        try {
          let rows = 0;
          for (const shard of shards) rows += await read(shard);
          if (rows !== rowCount) throw new Error(`${rows} rows`);
        } catch (error) {
          failures.set(name, String(error));
        }
        const { user, system } = process.cpuUsage(before);
        cpuSeconds.get(name)!.push((user + system) / 1e6);
      }
    },
    { iterations: ROUNDS, time: 0, warmupIterations: 2, warmupTime: 0 },
  );

  afterAll(() => {
    const ours = medianOf(cpuSeconds.get('lib/parquet')!);
    for (const [name, seconds] of cpuSeconds) {
      const failure = failures.get(name);
      table.push({
        input: inputName,
        reader: name,
        'rows per CPU-second': failure ?? Math.round(rowCount / medianOf(seconds)).toLocaleString('en'),
        'time against lib/parquet': failure === undefined ? (medianOf(seconds) / ours).toFixed(2) : '',
      });
    }
  });
}
