import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import parquet from 'parquetjs-lite';
import type { Impression } from './syntheticFunnel.ts';

const ROW_GROUP_ROWS = 8192;

const schema = new parquet.ParquetSchema({
  impression_id: { type: 'INT64' },
  user_id: { type: 'INT64' },
  age: { type: 'INT32', optional: true },
  city: { type: 'UTF8' },
  item_id: { type: 'INT64' },
  category: { type: 'UTF8' },
  price: { type: 'DOUBLE', optional: true },
  hour: { type: 'INT32' },
  position: { type: 'INT32' },
  recent_item_ids: { type: 'INT64', repeated: true },
  tags: { type: 'UTF8', repeated: true },
  click: { type: 'INT32' },
  conversion: { type: 'INT32' },
  true_pctr: { type: 'DOUBLE' },
  true_pcvr: { type: 'DOUBLE' },
});

/** Writes impressions as one Parquet shard. */
export async function writeShard(path: string, impressions: Iterable<Impression>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const writer = await parquet.ParquetWriter.openFile(schema, path, { rowGroupSize: ROW_GROUP_ROWS });
  for (const row of impressions) {
    await writer.appendRow({
      impression_id: row.impressionId,
      user_id: row.userId,
      ...(row.age === undefined ? {} : { age: row.age }),
      city: row.city,
      item_id: row.itemId,
      category: row.category,
      ...(row.price === undefined ? {} : { price: row.price }),
      hour: row.hour,
      position: row.position,
      recent_item_ids: row.recentItemIds,
      tags: row.tags,
      click: row.click,
      conversion: row.conversion,
      true_pctr: row.truePctr,
      true_pcvr: row.truePcvr,
    });
  }
  await writer.close();
}
