import type { SchemaElement } from 'hyparquet';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import type { FeatureContract } from '../../lib/features/contract.ts';
import { writeShard } from '../parquet/sampleShards.ts';

/** Row key columns of every kind that a contract may pass on; nulls in each but the first. */
export interface KeyRow {
  readonly id: bigint;
  readonly unsigned: bigint | null;
  readonly small: number | null;
  readonly name: string | null;
  readonly raw: Uint8Array | null;
  readonly day: Date | null;
  readonly at: Date | null;
}

const optional = { repetition_type: 'OPTIONAL' } as const;
const COLUMNS: readonly SchemaElement[] = [
  { name: 'id', type: 'INT64', repetition_type: 'REQUIRED' },
  { name: 'unsigned', type: 'INT64', converted_type: 'UINT_64', ...optional },
  { name: 'small', type: 'INT32', ...optional },
  { name: 'name', type: 'BYTE_ARRAY', converted_type: 'UTF8', ...optional },
  { name: 'raw', type: 'BYTE_ARRAY', ...optional },
  { name: 'day', type: 'INT32', converted_type: 'DATE', ...optional },
  { name: 'at', type: 'INT64', converted_type: 'TIMESTAMP_MICROS', ...optional },
];
export const KEY_NAMES = COLUMNS.map(({ name }) => name) as (keyof KeyRow)[];

export function keyRows(rowCount: number, first = 0): KeyRow[] {
  return Array.from({ length: rowCount }, (_, index) => {
    const row = first + index;
    const orNull = <T>(every: number, value: T): T | null => (row % every === 1 ? null : value);
    return {
      // Neighbours above 2^53 are one double: a detour over numbers would merge them.
      id: 2n ** 62n + BigInt(row),
      unsigned: orNull(3, 2n ** 63n - 1n - BigInt(row)),
      small: orNull(4, 7 - row),
      name: orNull(5, row % 6 === 0 ? '' : `é𐀀 ${row}`),
      raw: orNull(7, Uint8Array.of(0, 255, row % 256).subarray(0, row % 4)),
      day: orNull(6, new Date(86_400_000 * (row - 50))),
      at: orNull(8, new Date(1_650_000_000_000 + row)),
    };
  });
}

/** A shard of keys only. @param hasMore one more column, which nobody reads */
export function keyShard(
  rows: readonly KeyRow[],
  rowGroupSize: number | number[],
  hasMore = false,
): Uint8Array {
  const more: SchemaElement[] = hasMore ? [{ name: 'more', type: 'INT32', repetition_type: 'REQUIRED' }] : [];
  return writeShard(
    [
      ...KEY_NAMES.map((name) => ({ name, data: rows.map((row) => row[name]) })),
      ...more.map(({ name }) => ({ name, data: rows.map((_, row) => row) })),
    ],
    {
      rowGroupSize,
      schema: [{ name: 'root', num_children: COLUMNS.length + more.length }, ...COLUMNS, ...more],
    } as Parameters<typeof writeShard>[1],
  );
}

/** The bundle with other row keys, and with features that a shard may lack: the model's inputs stay the same. */
export function withRowKeys(bundle: ModelBundle, rowKeys: readonly string[]): ModelBundle {
  const features = bundle.contract.features.map((feature) => ({ ...feature, required: false }));
  const contract: FeatureContract = { ...bundle.contract, rowKeys: [...rowKeys], features };
  return { ...bundle, contract };
}
