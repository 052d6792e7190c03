import {
  Field,
  Float32,
  Int64,
  makeData,
  RecordBatch,
  Struct,
  TimestampSecond,
  tableFromIPC,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import { parquetMetadata } from 'hyparquet';
import pl from 'nodejs-polars';
import { readParquet } from 'parquet-wasm/node';
import { describe, expect, it } from 'vitest';
import { predictionSchema } from '../../lib/arrow/predictionSchema.ts';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import { openPredictions } from '../../lib/arrow/readPredictions.ts';
import { ParquetCopy } from '../../lib/copy/parquetCopy.ts';
import { keyColumns, keyData } from '../arrow/keyColumns.ts';
import { memoryAtomicFile, readableFile } from '../arrow/memoryAtomicFile.ts';

const metadata = new Map([['ncs4cvr.model_version', 'm-1']]);

function scoresOf(rowStart: number, rowEnd: number) {
  const column = (factor: number) =>
    Float32Array.from({ length: rowEnd - rowStart }, (_, row) => (((rowStart + row) * factor) % 1000) / 1000);
  return { pctr: column(7), pcvr: column(11), pctcvr: column(13) };
}

/** A prediction file with every type of key, its batches between these rows, and its copy. */
async function arrowAndParquet(bounds: readonly number[]) {
  const file = memoryAtomicFile();
  const writer = await PredictionWriter.open({
    file,
    keyFields: keyColumns.map(({ field }) => field),
    metadata,
  });
  for (const [index, end] of bounds.slice(1).entries()) {
    const start = bounds[index]!;
    await writer.write({
      keys: keyColumns.map((column) => keyData(column, start, end)),
      ...scoresOf(start, end),
    });
  }
  await writer.finish();
  const { schema, batches } = await openPredictions(readableFile(file.bytes()));
  const output = memoryAtomicFile();
  const copy = new ParquetCopy(output, schema, { 'ncs4cvr.partition': 'dt=2024-03-09' });
  for await (const batch of batches) await copy.write(batch);
  await copy.finish();
  return { arrow: file.bytes(), parquet: output.bytes() };
}

/** Batches of one row key, and a copy that takes them. */
function copyOf(field: Field) {
  const schema = predictionSchema([field], new Map());
  const file = memoryAtomicFile();
  const copy = new ParquetCopy(file, schema, { 'ncs4cvr.partition': 'dt=2024-03-09' });
  const batchOf = (values: readonly unknown[]) => {
    const { length } = values;
    const scores = [0, 1, 2].map(() =>
      makeData({ type: new Float32(), length, data: new Float32Array(length) }),
    );
    const children = [vectorFromArray(values, field.type).data[0]!, ...scores];
    return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, children }));
  };
  return { file, copy, batchOf };
}

async function copied(field: Field, batches: readonly (readonly unknown[])[]) {
  const { file, copy, batchOf } = copyOf(field);
  for (const values of batches) await copy.write(batchOf(values));
  await copy.finish();
  return file;
}
const readByArrowRs = (parquet: Uint8Array) => tableFromIPC(readParquet(parquet).intoIPCStream());

describe('a prediction file as Parquet', () => {
  it.each([[[0, 100]], [[0, 13, 50, 51, 100]]])(
    'has the values and nulls of every type of row key, as polars reads both (batch bounds %j)',
    async (bounds) => {
      const { arrow, parquet } = await arrowAndParquet(bounds);
      const [expected, found] = [pl.readIPC(arrow), pl.readParquet(parquet)];
      expect(found.columns).toEqual(expected.columns);
      for (const name of expected.columns) {
        const [wanted, got] = [expected.getColumn(name), found.getColumn(name)];
        expect({ [name]: got.nullCount() }).toEqual({ [name]: wanted.nullCount() });
        expect({ [name]: got.seriesEqual(wanted, true) }).toEqual({ [name]: true });
      }
    },
  );

  it('has them as arrow-rs reads both, nanoseconds and fixed bytes too; a date in milliseconds is a timestamp', async () => {
    const { arrow, parquet } = await arrowAndParquet([0, 40, 100]);
    const [expected, found] = [tableFromIPC(arrow), readByArrowRs(parquet)];
    expect(found.numRows).toBe(100);
    for (const { name, type, nullable } of expected.schema.fields) {
      const field = found.schema.fields.find((each) => each.name === name)!;
      expect({ [name]: String(field.type) }).toEqual({
        [name]: name === 'date_ms' ? 'Timestamp<MILLISECOND>' : String(type),
      });
      expect({ [name]: field.nullable }).toEqual({ [name]: nullable });
      const valuesOf = (table: typeof expected) => {
        return [...table.getChild(name)!].map((value) => (value instanceof Date ? value.getTime() : value));
      };
      expect({ [name]: valuesOf(found) }).toEqual({ [name]: valuesOf(expected) });
    }
  });

  it('says which model and which manifest it is of, beside what the prediction file said', async () => {
    const { key_value_metadata } = parquetMetadata(
      new Uint8Array((await arrowAndParquet([0, 5])).parquet).buffer,
    );
    expect(key_value_metadata).toEqual([
      { key: 'ncs4cvr.model_version', value: 'm-1' },
      { key: 'ncs4cvr.partition', value: 'dt=2024-03-09' },
    ]);
  });

  it('without rows is a file that polars and arrow-rs read, with all columns', async () => {
    const { parquet } = await arrowAndParquet([0]);
    expect(pl.readParquet(parquet).shape).toEqual({ height: 0, width: keyColumns.length + 3 });
    expect(readByArrowRs(parquet).schema.fields).toHaveLength(keyColumns.length + 3);
  });

  it('has a time in seconds as milliseconds, also before 1970', async () => {
    const seconds = [1_650_000_000, -1, null];
    const type = new TimestampSecond('Europe/Berlin');
    const values = seconds.map((value) => (value === null ? null : value * 1000));
    const file = await copied(new Field('at', type, true), [values]);
    const column = readByArrowRs(file.bytes()).getChild('at')!;
    expect(String(column.type)).toBe('Timestamp<MILLISECOND, UTC>');
    expect([...column]).toEqual(values);
  });
});

describe('row groups', () => {
  it('have at most 131,072 rows, are written as they fill, and keep the order of the rows', async () => {
    const sizes = [60_000, 60_000, 20_000, 140_000, 1];
    let next = 0n;
    const batches = sizes.map((size) => Array.from({ length: size }, () => next++));
    const file = await copied(new Field('id', new Int64(), false), batches);
    const bytes = file.bytes();
    const { row_groups } = parquetMetadata(new Uint8Array(bytes).buffer);
    expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([120_000, 20_000, 131_072, 8_928, 1]);
    // One write for each, and one for the footer.
    expect(file.writeSizes).toHaveLength(6);
    const ids = readByArrowRs(bytes).getChild('id')!.toArray() as BigInt64Array;
    expect(ids).toHaveLength(280_001);
    expect(ids.findIndex((id, row) => id !== BigInt(row))).toBe(-1);
  });

  it('that are written keep nothing of the memory of their batches, which may be as long as a part', async () => {
    const { file, copy, batchOf } = copyOf(new Field('request', new Utf8(), true));
    const texts = Array.from({ length: 131_072 }, (_, row) => `request ${row}`);
    const first = batchOf(texts);
    await copy.write(first);
    await copy.write(batchOf(['last']));
    (first.data.children[0]!.values as Uint8Array).fill(0x78);
    await copy.finish();
    const { row_groups } = parquetMetadata(new Uint8Array(file.bytes()).buffer);
    const { min_value, max_value } = row_groups[0]!.columns[0]!.meta_data!.statistics!;
    expect([min_value, max_value]).toEqual(['request 0', 'request 99999']);
  });
});
