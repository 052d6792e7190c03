import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Data, RecordBatch, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import {
  Compression,
  readParquet,
  Table as WasmTable,
  WriterPropertiesBuilder,
  writeParquet,
} from 'parquet-wasm/node';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { gatherRows } from '../../lib/scoring/gatherRows.ts';
import type { ConfigDocument } from './contractConfigs.ts';
import { drawColumns } from './drawColumns.ts';

/** Rows of a shard. */
const SHARD_ROWS = 1_000_000;
const FIRST_ID = 1e9;
/** Moved a little, so that the column has no small dictionary. */
const DURATION = 'duration_ms';

export interface InputSettings {
  readonly config: ConfigDocument;
  /** Folder with real days to draw rows from; made-up rows otherwise. */
  readonly realDays: string | undefined;
  readonly rows: number;
  readonly rowGroupRows: number;
}

/**
 * Writes shards of up to a million rows into a folder, unless it is there: ZSTD by arrow-rs, with its defaults. Real rows are drawn with
 * replacement from each day, so that none of the long runs of a sorted file flatters anyone, and have ids of their own.
 * The same settings give the same rows, whatever their row groups.
 */
export function makeInput(folder: string, { config, realDays, rows, rowGroupRows }: InputSettings): void {
  makeWhole(folder, (target) => {
    const real = realDays === undefined ? undefined : readDays(realDays);
    for (let start = 0, shard = 0; start < rows; start += SHARD_ROWS, shard++) {
      const count = Math.min(SHARD_ROWS, rows - start);
      const random = new RandomStream(1 + shard);
      const firstId = FIRST_ID + start;
      const table =
        real === undefined
          ? drawColumns(config, count, random, firstId)
          : redraw(real, config.contract.rowKeys[0]!, count, random, firstId);
      writeShard(table, join(target, `shard-${String(shard).padStart(3, '0')}.parquet`), rowGroupRows);
    }
  });
}

const TRAINING_DAY_ROWS = 10_000;

/** Made-up days to train on, one shard each, as partitions of a folder. */
export function makeTrainingDays(folder: string, config: ConfigDocument, days: readonly string[]): void {
  makeWhole(folder, (target) => {
    for (const [index, day] of days.entries()) {
      mkdirSync(join(target, `dt=${day}`));
      const table = drawColumns(config, TRAINING_DAY_ROWS, new RandomStream(1000 + index), index * 1e6);
      writeShard(table, join(target, `dt=${day}`, 'shard-000.parquet'), 8192);
    }
  });
}

/** What was cut off doesn't count as made. */
function makeWhole(folder: string, make: (target: string) => void): void {
  if (existsSync(folder)) return;
  const target = `${folder}.unfinished`;
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  make(target);
  renameSync(target, folder);
}

function readDays(folder: string): RecordBatch[] {
  const days = readdirSync(folder).filter((name) => name.startsWith('dt='));
  return days.sort().flatMap((day) => {
    const bytes = readFileSync(join(folder, day, 'part-0.parquet'));
    return tableFromIPC(readParquet(bytes).intoIPCStream()).batches;
  });
}

/** From each batch as many rows as it has a share in all, whatever the row groups that it came from. */
function redraw(
  real: readonly RecordBatch[],
  rowKey: string,
  count: number,
  random: RandomStream,
  firstId: number,
): Table {
  const all = real.reduce((sum, { numRows }) => sum + numRows, 0);
  let [seen, drawn] = [0, 0];
  const batches = real.map((batch) => {
    seen += batch.numRows;
    const wanted = Math.round((count * seen) / all) - drawn;
    const rows = Int32Array.from({ length: wanted }, () => Math.floor(random.nextUniform() * batch.numRows));
    const gathered = gatherRows(batch, rows);
    const start = firstId + drawn;
    drawn += wanted;
    const ids = BigInt64Array.from({ length: wanted }, (_, row) => BigInt(start + row));
    const durations = columnOf(gathered, DURATION).values as Float64Array;
    const moved = durations.map((value) => value * (0.95 + random.nextUniform() / 10));
    return withValues(withValues(gathered, rowKey, ids), DURATION, moved);
  });
  return new Table(batches);
}

const placeOf = ({ schema }: RecordBatch, name: string): number =>
  schema.fields.findIndex((field) => field.name === name);
const columnOf = (batch: RecordBatch, name: string): Data => batch.data.children[placeOf(batch, name)]!;

function withValues(batch: RecordBatch, name: string, values: BigInt64Array | Float64Array): RecordBatch {
  const column = columnOf(batch, name);
  const { type, length, nullCount, nullBitmap } = column;
  const children = [...batch.data.children];
  children[placeOf(batch, name)] = column.clone(type, 0, length, nullCount, [
    undefined as unknown as Int32Array,
    values,
    nullBitmap,
    undefined as unknown as Int8Array,
  ]);
  return new RecordBatch(batch.schema, batch.data.clone(batch.data.type, 0, length, 0, undefined, children));
}

function writeShard(table: Table, file: string, rowGroupRows: number): void {
  const properties = new WriterPropertiesBuilder()
    .setCompression(Compression.ZSTD)
    .setMaxRowGroupSize(rowGroupRows)
    .build();
  writeFileSync(file, writeParquet(WasmTable.fromIPCStream(tableToIPC(table, 'stream')), properties));
}
