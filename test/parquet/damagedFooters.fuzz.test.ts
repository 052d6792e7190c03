import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { checkColumns } from '../../lib/parquet/checkColumns.ts';
import { openShard } from '../../lib/parquet/openShard.ts';
import { rowGroupReads } from '../../lib/parquet/rowGroupReads.ts';
import { memoryFile, sharedData } from './memoryFile.ts';
import { sampleShard, writeShard } from './sampleShards.ts';

const LISTS = writeShard(
  [
    { name: 'ids', data: [[1, 2], null, [3]] },
    { name: 'plain', data: [1, 2, 3] },
  ],
  {
    rowGroupSize: 2,
    schema: [
      { name: 'root', num_children: 2 },
      { name: 'ids', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      { name: 'element', repetition_type: 'OPTIONAL', type: 'INT32' },
      { name: 'plain', type: 'INT32', repetition_type: 'REQUIRED' },
    ],
  },
);

/** Everything that is done with a footer before a page is read. @returns whether nothing was wrong */
async function useFooter(bytes: Uint8Array): Promise<boolean> {
  try {
    const shard = await openShard(memoryFile(bytes, 'damaged.parquet'));
    const names = shard.columns.map(({ name }) => name);
    for (const rowGroup of shard.rowGroups.keys()) {
      for (const name of names) {
        if (!shard.unreadableColumns.has(name)) rowGroupReads(shard, rowGroup, [name]);
      }
    }
    // One that no shard has: the error lists those that it has.
    const wanted = { column: 'wanted', required: true, accepts: () => true, expected: 'anything' };
    expect(() => checkColumns(shard, [wanted])).toThrow('SHARD_COLUMN_MISSING');
    return true;
  } catch (error) {
    if (!(error instanceof Ncs4cvrError)) throw error;
    expect(error.location.file).toBe('damaged.parquet');
    expect(error.code).toMatch(/^SHARD_/);
    return false;
  }
}

const footerStart = (bytes: Uint8Array) =>
  bytes.length - 8 - Buffer.from(bytes).readUInt32LE(bytes.length - 8);

describe('a footer', () => {
  it.each([
    ['of flat columns', sampleShard(60, 30)],
    ['of lists', LISTS],
  ])('%s with any one bit flipped is used, or refused with a code and the file', async (_, good) => {
    expect(await useFooter(good)).toBe(true);
    let refused = 0;
    for (let at = footerStart(good); at < good.length - 8; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const broken = Uint8Array.from(good);
        broken[at]! ^= 1 << bit;
        if (!(await useFooter(broken))) refused++;
      }
    }
    expect(refused).toBeGreaterThan(500);
  });

  it('with several bytes of any value is used or refused, too', async () => {
    const random = new RandomStream(3);
    const good = sampleShard(60, 30);
    const start = footerStart(good);
    for (let trial = 0; trial < 1000; trial++) {
      const broken = Uint8Array.from(good);
      for (let hit = 0; hit <= random.nextBelow(4); hit++) {
        broken[start + random.nextBelow(good.length - 8 - start)] = random.nextBelow(256);
      }
      await useFooter(broken);
    }
  });

  it('of nested lists that claim more than the file holds takes no memory', async () => {
    // Field 15 is none of the format's: a list of lists, each of 2^25 elements by what it says.
    const claim = [0xf9, 0x80, 0x80, 0x80, 0x10];
    const lists = Array.from({ length: 400 }, () => claim).flat();
    const footer = Uint8Array.from([0xf9, ...lists, 0]);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    const bytes = Buffer.concat([Buffer.from('PAR1'), footer, length, Buffer.from('PAR1')]);
    const before = process.memoryUsage().rss;
    expect(await useFooter(bytes)).toBe(false);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });

  const night = `${sharedData}nights/damaged/snappy-uncoded-528.parquet`;
  it.skipIf(!existsSync(night))(
    'of ../shared/data/nights/damaged is refused with the file (skipped without it)',
    async () => {
      const file = memoryFile(readFileSync(night), 'night.parquet');
      await expect(openShard(file)).rejects.toMatchObject({
        code: 'SHARD_FOOTER_INVALID',
        location: { file: 'night.parquet' },
      });
    },
  );
});
