import { parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError, StorageError } from '../../lib/base/errors.ts';
import { openShard, type ParquetShard } from '../../lib/parquet/openShard.ts';
import { readRowGroup } from '../../lib/parquet/readRowGroup.ts';
import { isDecoderPoisoned } from '../../lib/parquet/wasmDecoder.ts';
import { memoryFile } from './memoryFile.ts';
import { plainRows, readPlainRows } from './plainValues.ts';
import { overwritten, sampleShard, writeShard } from './sampleShards.ts';

async function readError(bytes: Uint8Array, columns: string[], rowGroup = 0): Promise<Ncs4cvrError> {
  const shard = await openShard(memoryFile(bytes));
  const error = await readRowGroup(shard, rowGroup, columns).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(Ncs4cvrError);
  return error as Ncs4cvrError;
}

function chunkStart(bytes: Uint8Array, rowGroup: number, column: number): number {
  const meta = parquetMetadata(bytes).row_groups[rowGroup]!.columns[column]!.meta_data!;
  return Number(meta.dictionary_page_offset ?? meta.data_page_offset);
}

describe('readRowGroup', () => {
  it('gives the columns in the order asked, in batches of the size asked', async () => {
    const shard = await openShard(memoryFile(sampleShard()));
    const batches = await readRowGroup(shard, 1, ['price', 'id'], { batchRows: 16 });
    expect(batches.map(({ numRows }) => numRows)).toEqual([16, 16, 8]);
    expect(plainRows(batches[2]!)[0]).toEqual({ price: 72 / 8, id: 72n });
    expect(batches[0]!.schema.fields.map(({ name }) => name)).toEqual(['price', 'id']);
  });

  it('reads the bytes of the wanted chunks and nothing else', async () => {
    const bytes = sampleShard();
    const file = memoryFile(bytes);
    const shard = await openShard(file);
    file.reads.length = 0;
    await readRowGroup(shard, 1, ['price', 'id']);
    const size = (column: number) =>
      Number(parquetMetadata(bytes).row_groups[1]!.columns[column]!.meta_data!.total_compressed_size);
    expect(file.reads).toEqual(
      [0, 2].map((column) => ({
        startByte: chunkStart(bytes, 1, column),
        endByte: chunkStart(bytes, 1, column) + size(column),
      })),
    );
  });

  it('gives the same batches when the columns are too big to be decoded together', async () => {
    const bytes = sampleShard();
    const whole = await openShard(memoryFile(bytes));
    const chunks = whole.chunks.map((ofLeaves) =>
      ofLeaves.map((chunk) => ({ ...chunk, uncompressedBytes: 20 * 1024 * 1024 })),
    );
    const bigger: ParquetShard = { ...whole, chunks };
    const columns = ['city', 'price', 'id'];
    const parts = await readRowGroup(bigger, 0, columns, { batchRows: 16 });
    const expected = await readRowGroup(whole, 0, columns, { batchRows: 16 });
    expect(parts.map(plainRows)).toEqual(expected.map(plainRows));
    expect(String(parts[0]!.schema)).toBe(String(expected[0]!.schema));
  });

  it('gives no batch for an empty row group and reads nothing', async () => {
    const file = memoryFile(writeShard([{ name: 'id', type: 'INT32', data: [] }]));
    const shard = await openShard(file);
    expect(shard.rowCount).toBe(0);
    for (const rowGroup of shard.rowGroups.keys()) {
      expect(await readRowGroup(shard, rowGroup, ['id'])).toEqual([]);
    }
    expect(file.reads).toHaveLength(1);
  });

  it('names the column whose page header is garbage, and reads the other columns and row groups', async () => {
    const bytes = sampleShard();
    const broken = overwritten(bytes, chunkStart(bytes, 1, 1), new Uint8Array(8).fill(0xff));
    const error = await readError(broken, ['id', 'city', 'price'], 1);
    expect(error.code).toBe('SHARD_PAGE_CORRUPT');
    expect(error.location).toEqual({ file: 'memory.parquet', rowGroup: 1, column: 'city' });
    expect(error.expected).toBe('Utf8');
    expect(error.found).toMatch(/^page 0 of the chunk makes no sense: /);
    const shard = await openShard(memoryFile(broken));
    expect(await readRowGroup(shard, 1, ['id', 'price'])).toHaveLength(1);
    expect(await readRowGroup(shard, 0, ['city'])).toHaveLength(1);
  });

  it('says SHARD_TEXT_NOT_UTF8 for text that is not UTF-8', async () => {
    const bytes = writeShard([{ name: 'city', type: 'STRING', data: ['Paris', 'Wien'] }]);
    const at = Buffer.from(bytes).indexOf('Paris');
    const error = await readError(overwritten(bytes, at, [0xff]), ['city']);
    expect(error.code).toBe('SHARD_TEXT_NOT_UTF8');
    expect(error.found).toBe('\\xff61726973 in row 0 of the row group');
  });

  it('says SHARD_TRUNCATED when data is missing before an intact footer', async () => {
    const bytes = sampleShard();
    const footerStart = bytes.length - 8 - parquetMetadata(bytes).metadata_length;
    const cut = Buffer.concat([bytes.subarray(0, footerStart - 50), bytes.subarray(footerStart)]);
    const error = await readError(cut, ['id', 'price'], 2);
    expect(error.code).toBe('SHARD_TRUNCATED');
    expect(error.location.column).toBe('price');
  });

  it.each([
    [41, 'more rows than the pages hold'],
    [39, 'fewer rows than the pages hold'],
  ])('says SHARD_ROW_COUNT_MISMATCH when the footer claims %i rows, %s', async (rowCount) => {
    const shard = await openShard(memoryFile(sampleShard()));
    const claimed: ParquetShard = { ...shard, rowGroups: [{ rowStart: 0, rowCount }] };
    await expect(readRowGroup(claimed, 0, ['id'])).rejects.toMatchObject({
      code: 'SHARD_ROW_COUNT_MISMATCH',
      location: { file: 'memory.parquet', rowGroup: 0, column: 'id' },
      expected: `${rowCount} rows`,
      found: '40',
    });
  });

  it('names the column that has fewer rows than the others', async () => {
    const short = writeShard([{ name: 'b', type: 'INT32', data: [1, 2, 3] }]);
    const long = await openShard(memoryFile(writeShard([{ name: 'a', type: 'INT32', data: [1, 2, 3, 4] }])));
    const other = await openShard(memoryFile(short));
    // One file of both: b's bytes follow a's, its offsets move along.
    const shift = long.sizeBytes;
    const { dataPageByte, dictionaryPageByte, ...rest } = other.chunks[0]![0]!;
    const chunk = {
      ...rest,
      dataPageByte: dataPageByte! + shift,
      dictionaryPageByte: dictionaryPageByte === undefined ? undefined : dictionaryPageByte + shift,
    };
    const bytes = Buffer.concat([await wholeFile(long), short]);
    const both: ParquetShard = {
      ...long,
      file: memoryFile(bytes),
      dataEndByte: bytes.length,
      columns: [
        ...long.columns,
        { ...other.columns[0]!, leaves: [{ ...other.columns[0]!.leaves[0]!, index: 1 }] },
      ],
      chunks: [[long.chunks[0]![0]!, chunk]],
    };
    await expect(readRowGroup(both, 0, ['a', 'b'])).rejects.toMatchObject({
      code: 'SHARD_ROW_COUNT_MISMATCH',
      location: { column: 'b' },
      expected: '4 rows',
      found: '3',
    });
  });

  it('passes on a failed read as it is, after the other reads have ended', async () => {
    const bytes = sampleShard();
    const file = memoryFile(bytes);
    const shard = await openShard(file);
    const failure = new StorageError('STORAGE_READ_FAILED', 'gone');
    let slowReadEnded = false;
    const failing: ParquetShard = {
      ...shard,
      file: {
        ...file,
        async readInto(_target, startByte) {
          if (startByte === chunkStart(bytes, 0, 0)) throw failure;
          await new Promise((resolve) => setTimeout(resolve, 20));
          slowReadEnded = true;
        },
      },
    };
    await expect(readRowGroup(failing, 0, ['id', 'price'])).rejects.toBe(failure);
    expect(slowReadEnded).toBe(true);
  });

  it('refuses a call without columns or with a batch of no rows', async () => {
    const shard = await openShard(memoryFile(sampleShard()));
    await expect(readRowGroup(shard, 0, [])).rejects.toThrow(RangeError);
    await expect(readRowGroup(shard, 0, ['id'], { batchRows: 0 })).rejects.toThrow(RangeError);
  });
});

describe('a panic of the decoder', () => {
  it('is SHARD_DECODER_PANIC, marks the instance, and leaves it able to read', async () => {
    const good = sampleShard(64, 64);
    const panics: Ncs4cvrError[] = [];
    // Seeded flips: about one in 200 makes arrow-rs panic rather than return an error.
    for (let seed = 1; seed <= 2000 && panics.length === 0; seed += 1) {
      const broken = overwritten(good, 4 + ((seed * 7919) % 200), [(seed * 104729) % 256]);
      const error = await readPlainRows(memoryFile(broken)).catch((thrown: unknown) => thrown);
      if (isDecoderPoisoned(error)) panics.push(error as Ncs4cvrError);
    }
    expect(panics[0]).toBeInstanceOf(Ncs4cvrError);
    expect(panics[0]!.code).toBe('SHARD_DECODER_PANIC');
    expect(isDecoderPoisoned(new Error('outer', { cause: panics[0] }))).toBe(true);
    expect(isDecoderPoisoned(new Ncs4cvrError('SHARD_PAGE_CORRUPT', 'x'))).toBe(false);
    expect(await readPlainRows(memoryFile(good))).toHaveLength(64);
  });
});

async function wholeFile(shard: ParquetShard): Promise<Uint8Array> {
  const bytes = new Uint8Array(shard.sizeBytes);
  await shard.file.readInto(bytes, 0);
  return bytes;
}
