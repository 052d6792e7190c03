import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetMetadata } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { footerRowCounts } from '../../lib/parquet/footerRowCounts.ts';
import { readShardShape } from '../../lib/parquet/readShardShape.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { hasSharedData, sharedData } from './memoryFile.ts';
import { overwritten, sampleShard, withMetadata, writeShard } from './sampleShards.ts';

const folder = temporaryFolder();

function footerOf(bytes: Uint8Array): Uint8Array {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 8, true);
  return bytes.subarray(bytes.length - 8 - length, bytes.length - 8);
}

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('readShardShape', () => {
  it('gives size, version and the rows of every row group', async () => {
    const uri = write('shard.parquet', sampleShard(100, 40));
    const { sizeBytes, version } = (await localDisk.stat(uri))!;
    expect(await readShardShape(uri)).toEqual({ sizeBytes, version, rowCounts: [40, 40, 20] });
    expect(await readShardShape(uri, { sizeBytes, version })).toMatchObject({ version });
    await expect(readShardShape(uri, { sizeBytes, version: 'other' })).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
    });
  });

  it.each([
    ['SHARD_NOT_PARQUET', new Uint8Array(0)],
    ['SHARD_TRUNCATED', sampleShard().subarray(0, 500)],
    // The first field's head: type 14 is none of the protocol's.
    [
      'SHARD_FOOTER_INVALID',
      overwritten(sampleShard(), sampleShard().length - 8 - footerOf(sampleShard()).length, [0x1e]),
    ],
    ['SHARD_FOOTER_INVALID', withMetadata(sampleShard(), (metadata) => (metadata.num_rows = 99n))],
  ])('says %s of a broken shard and names it', async (code, bytes) => {
    const uri = write('broken.parquet', bytes);
    await expect(readShardShape(uri)).rejects.toMatchObject({ code, location: { file: uri } });
  });
});

describe('footerRowCounts', () => {
  it('reads row counts of any size, and none of a file without row groups', () => {
    const counts = [0n, 1n, 127n, 128n, 2n ** 31n, 2n ** 40n + 1n];
    const bytes = withMetadata(sampleShard(6, 1), (metadata) => {
      metadata.row_groups.forEach((group, index) => {
        group.num_rows = counts[index]!;
      });
      metadata.num_rows = counts.reduce((sum, count) => sum + count, 0n);
    });
    expect(footerRowCounts(footerOf(bytes))).toEqual(counts.map(Number));
    const empty = writeShard([{ name: 'id', type: 'INT32', data: [] }]);
    expect(footerRowCounts(footerOf(empty)).every((count) => count === 0)).toBe(true);
  });

  it('ends with an error or sane counts on every footer with a flipped byte, and on every cut one', () => {
    const footer = footerOf(sampleShard(30, 10));
    for (let at = 0; at < footer.length; at++) {
      for (const damaged of [overwritten(footer, at, [footer[at]! ^ 0xff]), footer.subarray(0, at)]) {
        try {
          for (const rows of footerRowCounts(damaged)) expect(rows).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }
    }
  });

  const skipped = hasSharedData ? '' : ' (skipped: ../shared/data is not there)';
  it.skipIf(!hasSharedData)(`agrees with hyparquet on files of many writers${skipped}`, () => {
    const data = join(sharedData, 'parquet-testing/data');
    const files = readdirSync(data).map((name) => join(data, name));
    files.push(join(sharedData, 'kuairand-pure/dt=2022-04-25/part-0.parquet'));
    let compared = 0;
    for (const path of files.filter((name) => name.endsWith('.parquet'))) {
      const bytes = readFileSync(path);
      if (bytes.subarray(-4).toString() !== 'PAR1') continue;
      const expected = parquetMetadata(bytes).row_groups.map((group) => Number(group.num_rows));
      expect(footerRowCounts(footerOf(bytes)), path).toEqual(expected);
      compared++;
    }
    expect(compared).toBeGreaterThan(20);
  });
});
