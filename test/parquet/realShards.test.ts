import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { readRowGroup } from '../../lib/parquet/readRowGroup.ts';
import { hasSharedData, memoryFile, sharedData, sharedFile } from './memoryFile.ts';
import { type PlainRow, readForeignRows, readPlainRows } from './plainValues.ts';

const skipped = hasSharedData ? '' : ' (skipped: ../shared/data is missing)';
const goodFolder = `${sharedData}parquet-testing/data/`;
const badFolder = `${sharedData}parquet-testing/bad_data/`;
const listFiles = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.parquet')) : ['none'];

/** A repeated field outside a LIST has no null: no values are an empty list, for which hyparquet says null. */
const withoutNulls = new Set(['repeated_primitive_no_list.parquet']);

/** It has INT96 times before 1677 or after 2262, which are refused: test/parquet/int96Timestamps.test.ts reads others. */
const refused = 'int96_from_spark.parquet';

function nullsToEmptyLists(row: PlainRow): PlainRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      if (value === null) return [name, []];
      return [name, Array.isArray(value) ? value : nullsToEmptyLists(value as PlainRow)];
    }),
  );
}

/** Fields of structs by their paths, as shards have them too. @param ours has their names */
function structFields(row: PlainRow, ours: PlainRow): PlainRow {
  const paths = Object.keys(ours).filter((name) => !(name in row));
  return Object.fromEntries(
    paths.map((path) => [
      path,
      path.split('.').reduce<unknown>((value, name) => (value as PlainRow | null)?.[name] ?? null, row),
    ]),
  );
}

describe.skipIf(!hasSharedData)(`files of parquet-testing${skipped}`, () => {
  it(`${refused} is refused with its column and row, not wrapped`, async () => {
    await expect(readPlainRows(sharedFile(`parquet-testing/data/${refused}`))).rejects.toMatchObject({
      code: 'SHARD_TIMESTAMP_RANGE',
      location: { rowGroup: 0, column: 'a' },
      found: expect.stringMatching(/^9999-12-31 in row \d of the row group$/),
    });
  });

  it.each(listFiles(goodFolder).filter((name) => name !== refused))(
    '%s reads equal to hyparquet in every column and value',
    async (name) => {
      const bytes = readFileSync(goodFolder + name);
      const shard = await openShard(memoryFile(bytes, name));
      expect([...shard.unreadableColumns]).toEqual([]);
      const foreign = await readForeignRows(bytes);
      const ours = await readPlainRows(memoryFile(bytes, name));
      expect(ours).toHaveLength(foreign.length);
      const rows = withoutNulls.has(name) ? foreign.map(nullsToEmptyLists) : foreign;
      expect(ours).toEqual(rows.map((row, index) => ({ ...row, ...structFields(row, ours[index]!) })));
    },
  );

  it.each(listFiles(badFolder))(
    '%s is refused with a Ncs4cvrError, and the next file reads right',
    async (name) => {
      const started = performance.now();
      const file = memoryFile(readFileSync(badFolder + name), name);
      const error = await readPlainRows(file).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Ncs4cvrError);
      expect((error as Ncs4cvrError).location.file).toBe(name);
      expect(performance.now() - started).toBeLessThan(5000);
      const good = readFileSync(`${goodFolder}alltypes_plain.parquet`);
      expect(await readPlainRows(memoryFile(good))).toEqual(await readForeignRows(good));
    },
    10_000,
  );
});

describe.skipIf(!hasSharedData)(`DuckDB's shards${skipped}`, () => {
  it.each(['kuairand-pure/dt=2022-05-06/part-0.parquet', 'tencent-video-sample.parquet'])(
    '%s reads equal to hyparquet in every column and value',
    async (path) => {
      const file = sharedFile(path);
      const shard = await openShard(file);
      expect(shard.rowGroups.length).toBeGreaterThan(1);
      const names = shard.schema.fields.map(({ name }) => name);
      expect(names).toHaveLength(shard.columns.length);
      // Column by column: millions of values in one toEqual take too long.
      const foreign = await readForeignRows(readFileSync(sharedData + path));
      const ours = await readPlainRows(file);
      expect(ours).toHaveLength(foreign.length);
      for (const name of names) {
        const column = (rows: PlainRow[]): string =>
          JSON.stringify(
            rows.map((row) => row[name]),
            bigintAsText,
          );
        expect(column(ours) === column(foreign), name).toBe(true);
      }
    },
  );

  it('reads three columns of a row group with three ranges, a twentieth of the file', async () => {
    const file = sharedFile('kuairand-pure/dt=2022-05-06/part-0.parquet');
    const shard = await openShard(file);
    file.reads.length = 0;
    await readRowGroup(shard, 0, ['user_id', 'tab', 'click']);
    const bytesRead = file.reads.reduce((sum, { startByte, endByte }) => sum + endByte - startByte, 0);
    expect(file.reads.length).toBeLessThanOrEqual(3);
    expect(bytesRead).toBeLessThan(file.sizeBytes / 20);
  });
});

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
