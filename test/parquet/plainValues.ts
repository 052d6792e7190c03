import { type Data, type RecordBatch, Type } from 'apache-arrow';
import { type AsyncBuffer, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import type { RandomAccessFile } from '../../lib/storage/storage.ts';

/** Rows as JavaScript values that both readers can be brought to: bytes as hex, dates and times as raw integers. */
export type PlainRow = Record<string, unknown>;

/** Reads a whole shard with our reader, going through Arrow's raw buffers. */
export async function readPlainRows(file: RandomAccessFile, columns?: string[]): Promise<PlainRow[]> {
  const shard = await openShard(file);
  const rows: PlainRow[] = [];
  for await (const { batch } of readRecordBatches(
    shard,
    columns ?? shard.schema.fields.map(({ name }) => name),
  )) {
    rows.push(...plainRows(batch));
  }
  return rows;
}

export function plainRows(batch: RecordBatch): PlainRow[] {
  const columns = batch.schema.fields.map(({ name }, index) => ({
    name,
    values: plainColumn(batch.data.children[index]!),
  }));
  return Array.from({ length: batch.numRows }, (_, row) =>
    Object.fromEntries(columns.map(({ name, values }) => [name, values[row]])),
  );
}

function plainColumn(data: Data): unknown[] {
  const valueAt = slotReader(data);
  return Array.from({ length: data.length }, (_, slot) => (data.getValid(slot) ? valueAt(slot) : null));
}

function slotReader(data: Data): (slot: number) => unknown {
  const { values, valueOffsets } = data;
  switch (data.typeId) {
    case Type.Null:
      return () => null;
    case Type.Bool:
      return (slot) => ((values[slot >> 3] >> (slot & 7)) & 1) === 1;
    case Type.Utf8:
      return (slot) =>
        Buffer.from(values.subarray(valueOffsets[slot], valueOffsets[slot + 1])).toString('utf8');
    case Type.Binary:
      return (slot) => hex(values.subarray(valueOffsets[slot], valueOffsets[slot + 1]));
    case Type.FixedSizeBinary: {
      const { byteWidth } = data.type as unknown as { byteWidth: number };
      return (slot) => hex(values.subarray(slot * byteWidth, (slot + 1) * byteWidth));
    }
    case Type.Decimal: {
      const { scale, bitWidth } = data.type as unknown as { scale: number; bitWidth: number };
      const words = bitWidth / 32;
      return (slot) => {
        let unscaled = 0n;
        for (let word = words - 1; word >= 0; word -= 1) {
          unscaled = (unscaled << 32n) | BigInt(values[slot * words + word]);
        }
        return Number(BigInt.asIntN(bitWidth, unscaled)) * 10 ** -scale;
      };
    }
    case Type.Dictionary: {
      const entries = plainColumn(data.dictionary!.data[0] as Data);
      return (slot) => entries[values[slot]];
    }
    case Type.List: {
      const items = plainColumn(data.children[0]!);
      return (slot) => items.slice(valueOffsets[slot], valueOffsets[slot + 1]);
    }
    case Type.Struct: {
      const names = (data.type as unknown as { children: { name: string }[] }).children.map(
        ({ name }) => name,
      );
      const columns = data.children.map(plainColumn);
      return (slot) => Object.fromEntries(names.map((name, index) => [name, columns[index]![slot]]));
    }
    default:
      return (slot) => values[slot];
  }
}

/** Reads the same rows with hyparquet, an independent implementation of format, encodings and codecs. */
export async function readForeignRows(bytes: Uint8Array, columns?: string[]): Promise<PlainRow[]> {
  const file: AsyncBuffer = {
    byteLength: bytes.length,
    slice: (start, end) => Uint8Array.from(bytes.subarray(start, end)).buffer,
  };
  const raw = (value: unknown): unknown => value;
  const rows = await parquetReadObjects({
    file,
    compressors,
    utf8: false,
    geoparquet: false,
    ...(columns === undefined ? {} : { columns }),
    parsers: {
      timestampFromMilliseconds: raw,
      timestampFromMicroseconds: raw,
      timestampFromNanoseconds: raw,
      dateFromDays: raw,
    },
  });
  return rows.map((row) => foreignValue(row) as PlainRow);
}

function foreignValue(value: unknown): unknown {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return hex(value);
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    return Array.from(value as unknown as unknown[], foreignValue);
  }
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, foreignValue(item)]));
  }
  return value;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
