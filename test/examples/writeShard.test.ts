import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Impression, SyntheticFunnel } from '../../examples/demo/syntheticFunnel.ts';
import { writeShard } from '../../examples/demo/writeShard.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRecordBatches } from '../../lib/parquet/readRecordBatches.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

/** Two row groups, the second one short. */
const ROWS = 10_000;
const uri = join(temporaryFolder(), 'dt=2024-03-01', 'part-0.parquet');
const impressions = [...new SyntheticFunnel(5).impressions(ROWS)];

const columns: Readonly<Record<string, (row: Impression) => unknown>> = {
  impression_id: (row) => BigInt(row.impressionId),
  user_id: (row) => BigInt(row.userId),
  age: (row) => row.age ?? null,
  city: (row) => row.city,
  item_id: (row) => BigInt(row.itemId),
  category: (row) => row.category,
  price: (row) => row.price ?? null,
  hour: (row) => row.hour,
  position: (row) => row.position,
  recent_item_ids: (row) => row.recentItemIds.map(BigInt),
  tags: (row) => row.tags,
  click: (row) => row.click,
  conversion: (row) => row.conversion,
  true_pctr: (row) => row.truePctr,
  true_pcvr: (row) => row.truePcvr,
};

describe('demo shards', () => {
  beforeAll(() => writeShard(uri, impressions));

  test('have several row groups, 64-bit ids, optional columns and lists', async () => {
    const file = await localDisk.open(uri);
    const shard = await openShard(file);
    await file.close();
    expect(shard.rowCount).toBe(ROWS);
    expect(shard.rowGroups.length).toBeGreaterThan(1);
    const fields = new Map(shard.schema.fields.map((field) => [field.name, field]));
    expect([...fields.keys()]).toEqual(Object.keys(columns));
    expect(String(fields.get('impression_id')!.type)).toBe('Int64');
    expect(String(fields.get('recent_item_ids')!.type)).toBe('List<Int64>');
    expect(fields.get('age')!.nullable).toBe(true);
    expect(fields.get('click')!.nullable).toBe(false);
  });

  test('read back by the shard reader, every value is what the generator drew', async () => {
    const file = await localDisk.open(uri);
    try {
      const found = Object.fromEntries(Object.keys(columns).map((name) => [name, [] as unknown[]]));
      for await (const { batch } of readRecordBatches(await openShard(file), Object.keys(columns))) {
        for (const [name, values] of Object.entries(found)) {
          for (const value of batch.getChild(name)!) values.push(isList(value) ? [...value] : value);
        }
      }
      for (const [name, valueAt] of Object.entries(columns)) {
        expect({ [name]: found[name] }).toEqual({ [name]: impressions.map(valueAt) });
      }
    } finally {
      await file.close();
    }
  });
});

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}
