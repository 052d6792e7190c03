import { describe, expect, it } from 'vitest';
import { decodeRowGroups } from '../../lib/parquet/decodeRowGroups.ts';
import { decodeDictionaryColumns } from '../../lib/parquet/dictionaryColumns.ts';
import { ReusedMemory } from '../../lib/parquet/reusedMemory.ts';
import type { ReadRowGroupBytes } from '../../lib/parquet/rowGroupReads.ts';
import { changedHeader } from './checksummedShard.ts';
import { checkAgainstArrow, namesOf, polarsShard, readAll, rowNumbers } from './dictionaryShards.ts';
import { plainRows } from './plainValues.ts';
import { relaidShard } from './relaidShard.ts';
import { writeShard } from './sampleShards.ts';

describe('damage to pages', () => {
  it('does not come from what stands behind the last page of a chunk, as other lists would', async () => {
    const whole = polarsShard('zstd', 0, 60);
    const rows = (bytes: Uint8Array) =>
      readAll(bytes).then((rowGroups) => decodeRowGroups(rowGroups).flatMap(plainRows));
    const { bytes } = relaidShard(whole, ({ header, body, page }) => ({
      header,
      body: page === 0 ? body : Uint8Array.from([...body, 0x99, 0xf1, 0xff]),
    }));
    expect(await rows(bytes)).toEqual(await rows(whole));
  });

  it('is an error of the same code, row group and column as without dictionaries, or gives the same rows', async () => {
    const rowGroups = await readAll(polarsShard('snappy'));
    const [{ buffer, reads, uri }] = rowGroups as [ReadRowGroupBytes];
    const outcomeOf = (damaged: Uint8Array, dictionaries?: ReadonlySet<string>) => {
      try {
        const batches = decodeRowGroups(
          [{ uri, reads, buffer: damaged }],
          dictionaries ? { dictionaries } : {},
        );
        return batches.flatMap(plainRows);
      } catch (error) {
        return error;
      }
    };
    let errors = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const damaged = Uint8Array.from(buffer);
      damaged[(seed * 7919 * 31) % buffer.length]! ^= 1 << (seed % 8);
      const expected = outcomeOf(damaged);
      if (expected instanceof Error) errors++;
      expect(outcomeOf(damaged, namesOf(rowGroups)), `seed ${seed}`).toEqual(expected);
    }
    expect(errors).toBeGreaterThan(5);
  });

  it('that claims to unpack to nothing is an error: packed bytes are never taken for values', async () => {
    const data = rowNumbers.map((row) => (row * 2_654_435_761) | 0);
    const whole = writeShard([{ name: 'id', type: 'INT32', data, nullable: false }], { codec: 'SNAPPY' });
    expect(checkAgainstArrow(await readAll(whole))).toEqual(['id']);
    const { bytes } = relaidShard(whole, ({ header, body }) => ({
      header: changedHeader(header, { field_2: 0 }),
      body,
    }));
    const rowGroups = await readAll(bytes);
    expect(() => decodeRowGroups(rowGroups, { dictionaries: new Set(['id']) })).toThrow(
      expect.objectContaining({ code: 'SHARD_PAGE_CORRUPT' }),
    );
  });

  it('that claims more than can be read is refused before anything is unpacked', async () => {
    const { bytes } = relaidShard(polarsShard('zstd'), ({ header, body, column }) => {
      const field_2 = 2 ** 30 + 1;
      return { header: column === 'id' ? changedHeader(header, { field_2 }) : header, body };
    });
    const rowGroups = await readAll(bytes);
    const dictionaries = new Set(['id']);
    expect(decodeDictionaryColumns(rowGroups, dictionaries, new ReusedMemory()).size).toBe(0);
    expect(() => decodeRowGroups(rowGroups, { dictionaries })).toThrow(
      expect.objectContaining({
        code: 'SHARD_ROW_GROUP_TOO_LARGE',
        location: { file: 'shard', rowGroup: 0, column: 'id' },
      }),
    );
  });
});
