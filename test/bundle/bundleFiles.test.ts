import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { checkFile, copyVerified, PIECE_BYTES } from '../../lib/bundle/bundleFiles.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const source = join(folder, 'source');
mkdirSync(source);

/** More pieces than are read ahead, each of other bytes, the last one short. */
const large = Buffer.alloc(6 * PIECE_BYTES + 5);
for (let at = 0; at < large.length; at += 4096) large.writeUInt8((at / 4096) % 251, at);
writeFileSync(join(source, 'large'), large);
const facts = { sizeBytes: large.length, sha256: sha256(large) };

describe('copying a file of a bundle', () => {
  it('keeps every byte of a file that is longer than the buffers it goes through', async () => {
    const target = join(folder, 'copy');
    expect(await copyVerified(localDisk, source, target, 'large', facts)).toEqual([]);
    expect(readFileSync(join(target, 'large')).equals(large)).toBe(true);
  });

  it('writes nothing when the bytes are others than were verified, and says what is wrong', async () => {
    const target = join(folder, 'other');
    const expected = { sizeBytes: large.length, sha256: sha256('something else') };
    const problems = await copyVerified(localDisk, source, target, 'large', expected);
    expect(problems).toEqual([`large: expected sha256 ${expected.sha256}, found ${facts.sha256}`]);
    expect(existsSync(join(target, 'large'))).toBe(false);
  });

  it('leaves a file that is there as it is', async () => {
    const target = join(folder, 'taken');
    mkdirSync(target);
    writeFileSync(join(target, 'large'), 'mine');
    expect(await copyVerified(localDisk, source, target, 'large', facts)).toEqual([]);
    expect(readFileSync(join(target, 'large'), 'utf8')).toBe('mine');
  });
});

describe('checking a file of a bundle', () => {
  it('closes the file when no read is under way any more, also where one has failed', async () => {
    let underWay = 0;
    const closedAt: number[] = [];
    const open: typeof localDisk.open = async (uri) => ({
      ...{ uri, sizeBytes: 3 * PIECE_BYTES, version: 'v' },
      readInto: async (_target, startByte) => {
        if (startByte === 0) throw new Error('lost');
        underWay++;
        await new Promise((resolve) => setTimeout(resolve, 20));
        underWay--;
      },
      close: async () => {
        closedAt.push(underWay);
      },
    });
    const storage = Object.assign(Object.create(localDisk) as typeof localDisk, { open });
    await expect(checkFile(storage, source, 'large', facts, [])).rejects.toThrow('lost');
    expect(closedAt).toEqual([0]);
  });

  it.each([
    ['is right', 'large', facts, []],
    [
      'has another size and digest',
      'large',
      { sizeBytes: 7, sha256: 'a' },
      [`large: expected 7 bytes, found ${large.length}`, `large: expected sha256 a, found ${facts.sha256}`],
    ],
    ['is missing', 'gone', facts, [expect.stringContaining('gone: STORAGE_NOT_FOUND')]],
  ])('tells of one that %s', async (_title, path, expected, wrong) => {
    const problems: string[] = [];
    await checkFile(localDisk, source, path, expected, problems);
    expect(problems).toEqual(wrong);
  });
});
