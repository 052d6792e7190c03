import { openShard } from '../parquet/openShard.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { formatFacts, formatTable } from './formatTable.ts';

/** A shard's footer: rows, row groups, columns with their types. Reads no column data. */
export async function describeShard(file: RandomAccessFile): Promise<string> {
  const shard = await openShard(file);
  const sizes = shard.rowGroups.map((rowGroup) => rowGroup.rowCount);
  const facts = formatFacts({
    'parquet shard': shard.uri,
    rows: shard.rowCount,
    'row groups':
      sizes.length === 0 ? 0 : `${sizes.length} of ${Math.min(...sizes)} to ${Math.max(...sizes)} rows`,
    size: `${shard.sizeBytes} bytes`,
    version: shard.version,
  });
  const columns = formatTable([
    ['column', 'type'],
    ...shard.schema.fields.map(({ name, type }) => [name, String(type)]),
    ...[...shard.unreadableColumns].map(([name, reason]) => [name, `unreadable: ${reason}`]),
  ]);
  return `${facts}\n\n${columns}`;
}
