import { Writable } from 'node:stream';
import parquet from 'parquetjs-lite';
import { storageFor } from '../storage/openStorage.ts';
import type { Impression } from './drawImpressions.ts';

const ROW_GROUP_ROWS = 8192;

/** Writes impressions as one Parquet shard; it gets its name when it is whole. */
export async function writeShard(
  uri: string,
  impressions: Iterable<Impression>,
  fields: number,
): Promise<void> {
  const file = await storageFor(uri).createAtomic(uri);
  const stream = new Writable({
    write: (bytes: Uint8Array, _encoding, done) => {
      file.write(bytes).then(() => done(), done);
    },
  });
  // Errors reach the writer through its calls' callbacks.
  stream.on('error', () => {});
  try {
    const writer = await parquet.ParquetWriter.openStream(schemaOf(fields), stream, {
      rowGroupSize: ROW_GROUP_ROWS,
    });
    for (const row of impressions) await writer.appendRow(toRecord(row));
    await writer.close();
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
}

function schemaOf(fields: number) {
  return new parquet.ParquetSchema({
    impression_id: { type: 'INT64' },
    ...Object.fromEntries(Array.from({ length: fields }, (_, i) => [`f${i}`, { type: 'UTF8' }])),
    tags: { type: 'UTF8', repeated: true },
    price: { type: 'DOUBLE', optional: true },
    click: { type: 'INT32' },
    conversion: { type: 'INT32' },
    potential_conversion: { type: 'INT32' },
    true_pctr: { type: 'DOUBLE' },
    true_pcvr: { type: 'DOUBLE' },
  });
}

function toRecord(row: Impression): Record<string, unknown> {
  return {
    impression_id: row.impressionId,
    ...Object.fromEntries(Array.from(row.values, (value, i) => [`f${i}`, `v${value}`])),
    tags: row.tags,
    ...(row.price === undefined ? {} : { price: row.price }),
    click: row.click,
    conversion: row.click * row.potentialConversion,
    potential_conversion: row.potentialConversion,
    true_pctr: row.truePctr,
    true_pcvr: row.truePcvr,
  };
}
