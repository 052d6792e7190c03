import { parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError, StorageError } from '../../lib/base/errors.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { FOOTER_READ_BYTES } from '../../lib/parquet/readFooter.ts';
import { memoryFile } from './memoryFile.ts';
import { readPlainRows } from './plainValues.ts';
import { overwritten, sampleShard, withMetadata, writeShard } from './sampleShards.ts';

async function openError(bytes: Uint8Array): Promise<Ncs4cvrError> {
  const error = await openShard(memoryFile(bytes)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Ncs4cvrError);
  return error as Ncs4cvrError;
}

describe('openShard', () => {
  it('gives rows, row group spans and Arrow types with one read of a small file', async () => {
    const file = memoryFile(sampleShard(), 'part-0.parquet');
    const shard = await openShard(file);
    expect(shard).toMatchObject({
      uri: 'part-0.parquet',
      version: 'test',
      rowCount: 100,
      rowGroups: [
        { rowStart: 0, rowCount: 40 },
        { rowStart: 40, rowCount: 40 },
        { rowStart: 80, rowCount: 20 },
      ],
    });
    expect(shard.schema.fields.map(({ name, type }) => `${name}: ${type}`)).toEqual([
      'id: Int64',
      'city: Utf8',
      'price: Float64',
    ]);
    expect(file.reads).toEqual([{ startByte: 0, endByte: file.sizeBytes }]);
  });

  it('reads a footer of more than 64 KiB with two reads that do not overlap', async () => {
    const columns = Array.from({ length: 400 }, (_, index) => ({
      name: `a column with a long name, number ${index}`,
      type: 'INT32' as const,
      data: [1, 2],
    }));
    const file = memoryFile(writeShard(columns, { rowGroupSize: 1 }));
    const shard = await openShard(file);
    const footerBytes = file.sizeBytes - shard.dataEndByte;
    expect(footerBytes).toBeGreaterThan(FOOTER_READ_BYTES);
    expect(file.reads).toEqual([
      { startByte: file.sizeBytes - FOOTER_READ_BYTES, endByte: file.sizeBytes },
      { startByte: shard.dataEndByte, endByte: file.sizeBytes - FOOTER_READ_BYTES },
    ]);
    expect(shard.schema.fields).toHaveLength(400);
  });

  it('accepts a shard without rows and without row groups', async () => {
    const empty = withMetadata(sampleShard(1), (metadata) => {
      metadata.row_groups = [];
      metadata.num_rows = 0n;
    });
    // The writer marks the empty list with element type 0; hyparquet accepts that.
    const shard = await openShard(memoryFile(empty));
    expect(shard).toMatchObject({ rowCount: 0, rowGroups: [] });
    expect(shard.schema.fields).toHaveLength(3);
    expect(await readPlainRows(memoryFile(empty))).toEqual([]);
  });

  it('opens a file with a column that Arrow cannot express and reads the other columns', async () => {
    const bytes = writeShard(
      [
        { name: 'plain', data: [1, 2] },
        { name: 'odd', data: [3, 4] },
      ],
      {
        schema: [
          { name: 'root', num_children: 2 },
          { name: 'plain', type: 'INT32', repetition_type: 'REQUIRED' },
          {
            name: 'odd',
            type: 'INT32',
            repetition_type: 'REQUIRED',
            converted_type: 'DECIMAL',
            precision: 50,
            scale: 2,
          },
        ],
      },
    );
    const shard = await openShard(memoryFile(bytes));
    expect(shard.schema.fields.map(({ name }) => name)).toEqual(['plain']);
    expect(shard.unreadableColumns.get('odd')).toMatch(/precision 50/i);
    expect(await readPlainRows(memoryFile(bytes))).toEqual([{ plain: 1 }, { plain: 2 }]);
  });

  it('does not choose between two columns of one name', async () => {
    const bytes = withMetadata(sampleShard(), (metadata) => {
      metadata.schema[3]!.name = 'id';
      for (const { columns } of metadata.row_groups) columns[2]!.meta_data!.path_in_schema = ['id'];
    });
    const shard = await openShard(memoryFile(bytes));
    expect(shard.schema.fields.map(({ name }) => name)).toEqual(['city']);
    expect(shard.unreadableColumns.get('id')).toBe('several columns have this name');
  });

  it('says SHARD_NOT_PARQUET for an empty file', async () => {
    expect((await openError(new Uint8Array(0))).message).toBe(
      'SHARD_NOT_PARQUET: memory.parquet: the file is empty',
    );
  });

  it('says SHARD_NOT_PARQUET for a file with other magic bytes', async () => {
    const error = await openError(Buffer.from('user_id,video_id,click\n1,2,0\n'));
    expect(error.message).toBe(
      'SHARD_NOT_PARQUET: memory.parquet: the file is no Parquet file ' +
        `(expected 'PAR1' as the last four bytes, found "2,0\\n")`,
    );
  });

  it('says SHARD_TRUNCATED for a file of 11 bytes and for one cut in its data or in its footer', async () => {
    const bytes = sampleShard();
    for (const length of [11, 100, bytes.length - 1, bytes.length - 8]) {
      expect((await openError(bytes.subarray(0, length))).code, `${length} bytes`).toBe('SHARD_TRUNCATED');
    }
    const long = sampleShard(20_000, 20_000);
    expect((await openError(long.subarray(0, -1))).message).toBe(
      'SHARD_TRUNCATED: memory.parquet: the file ends before its footer does ' +
        `(expected 'PAR1' as the last four bytes, found "\\u0000PAR")`,
    );
  });

  it('says SHARD_TRUNCATED when the footer is longer than the file', async () => {
    const bytes = sampleShard();
    const error = await openError(overwritten(bytes, bytes.length - 8, [0, 0, 1, 0]));
    expect(error.code).toBe('SHARD_TRUNCATED');
    expect(error.expected).toBe('65548 bytes or more');
    expect(error.found).toBe(`${bytes.length}`);
  });

  it('refuses a footer of 300 MB without reading it', async () => {
    const bytes = sampleShard();
    const tail = overwritten(bytes, bytes.length - 8, [0, 0, 0, 0x12]);
    const file = { ...memoryFile(tail), sizeBytes: 2 ** 30 };
    let readBytes = 0;
    const sparse = {
      ...file,
      async readInto(target: Uint8Array) {
        readBytes += target.length;
        target.set(tail.subarray(-target.length), target.length - Math.min(target.length, tail.length));
      },
    };
    await expect(openShard(sparse)).rejects.toMatchObject({
      code: 'SHARD_FOOTER_INVALID',
      found: `${0x12000000}`,
    });
    expect(readBytes).toBe(FOOTER_READ_BYTES);
  });

  it('says SHARD_ENCRYPTED for an encrypted footer', async () => {
    const bytes = sampleShard();
    const error = await openError(overwritten(bytes, bytes.length - 4, Buffer.from('PARE')));
    expect(error.code).toBe('SHARD_ENCRYPTED');
  });

  it('says SHARD_FOOTER_INVALID with the cause for a footer of zeros, of garbage and with a row count that does not add up', async () => {
    const bytes = sampleShard();
    const { metadata_length: footerBytes } = parquetMetadata(bytes);
    const start = bytes.length - 8 - footerBytes;
    const zeros = await openError(overwritten(bytes, start, new Uint8Array(footerBytes)));
    expect(zeros.code).toBe('SHARD_FOOTER_INVALID');
    expect(zeros.cause).toBeInstanceOf(Error);
    const garbage = await openError(overwritten(bytes, start, new Uint8Array(footerBytes).fill(0xa7)));
    expect(garbage.code).toBe('SHARD_FOOTER_INVALID');
    const sum = await openError(
      withMetadata(bytes, (metadata) => {
        metadata.num_rows = 101n;
      }),
    );
    expect(sum.message).toBe(
      'SHARD_FOOTER_INVALID: memory.parquet: the footer contradicts itself (found the file has 101 rows, its row groups 100)',
    );
  });

  it('says SHARD_FOOTER_INVALID for row counts that are negative or beyond safe integers', async () => {
    for (const rows of [-1n, 2n ** 53n]) {
      const error = await openError(
        withMetadata(sampleShard(), (metadata) => {
          metadata.row_groups[0]!.num_rows = rows;
        }),
      );
      expect(error.found).toBe(`row group 0 has ${rows} rows`);
    }
  });

  it('passes on errors of the storage as they are', async () => {
    const file = memoryFile(sampleShard());
    const failure = new StorageError('STORAGE_SHORT_READ', 'short');
    const error = await openShard({ ...file, readInto: () => Promise.reject(failure) }).catch(
      (e: unknown) => e,
    );
    expect(error).toBe(failure);
  });

  it('gives shards of one schema the same columns, also when the memory of the first has gone to a thread', async () => {
    const open = (bytes: Buffer) => openShard(memoryFile(bytes), bytes);
    const copy = () => {
      // A schema that no other test opens: the first shard is the one whose schema is kept.
      const shard = writeShard([{ name: 'kept', data: [1, 2, 3] }]);
      const bytes = Buffer.allocUnsafeSlow(shard.length);
      bytes.set(shard);
      return bytes;
    };
    const bytes = copy();
    const first = await open(bytes);
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    expect(bytes.length).toBe(0);
    expect((await open(copy())).columns).toBe(first.columns);
  });
});
