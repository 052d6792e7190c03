import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readRowGroups } from '../../lib/scoring/readRowGroups.ts';
import type { RequestedRowGroup } from '../../lib/scoring/requestedRowGroup.ts';
import { JOIN_GAP_BYTES, REQUEST_BYTES } from '../../lib/scoring/requestLimits.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
mkdirSync(folder, { recursive: true });
const files = new Map<string, Buffer>();

/** A file with any content. */
function fileOf(name: string, sizeBytes: number): string {
  const uri = join(folder, name);
  const bytes = randomBytes(sizeBytes);
  writeFileSync(uri, bytes);
  files.set(uri, bytes);
  return uri;
}

/** Row groups that each want ranges `[start, end)`. */
async function wanted(uri: string, ...groups: (readonly [number, number][])[]): Promise<RequestedRowGroup[]> {
  const file = await localDisk.open(uri);
  await file.close();
  const { sizeBytes, version } = file;
  return groups.map((group, rowGroup) => {
    let targetByte = 0;
    const ranges = group.map(([startByte, endByte]) => {
      const range = { startByte, endByte, targetByte };
      targetByte += endByte - startByte;
      return range;
    });
    const reads = { rowGroup, rowCount: 1, columns: [], ranges, bufferBytes: targetByte };
    return { span: 0, uri, sizeBytes, version, reads };
  });
}

/** What was opened, and the ranges that were read. */
function watchDisk() {
  const opened: string[] = [];
  const closed: string[] = [];
  const ranges: [number, number][] = [];
  const { open } = localDisk;
  vi.spyOn(localDisk, 'open').mockImplementation(async (uri, known) => {
    const file = await open(uri, known);
    opened.push(uri);
    return {
      ...{ uri, sizeBytes: file.sizeBytes, version: file.version },
      readInto: (target: Uint8Array, startByte: number) => {
        ranges.push([startByte, startByte + target.length]);
        return file.readInto(target, startByte);
      },
      close: async () => {
        closed.push(uri);
        await file.close();
      },
    };
  });
  return { opened, closed, ranges };
}

afterEach(() => vi.restoreAllMocks());

/** Each has just its bytes. */
async function expectBytes(rowGroups: readonly RequestedRowGroup[]): Promise<void> {
  const read = await readRowGroups(rowGroups);
  expect(read.map(({ reads }) => reads)).toEqual(rowGroups.map(({ reads }) => reads));
  for (const { uri, reads, buffer } of read) {
    const bytes = files.get(uri)!;
    const pieces = reads.ranges.map(({ startByte, endByte }) => bytes.subarray(startByte, endByte));
    expect(Buffer.compare(buffer, Buffer.concat(pieces))).toBe(0);
  }
}

describe('readRowGroups', () => {
  test('reads neighbours with the gaps between them by one read, whatever their number', async () => {
    const uri = fileOf('near', 70_000);
    const groups = Array.from({ length: 300 }, (_, i): [number, number][] => [[200 * i, 200 * i + 150]]);
    const { opened, closed, ranges } = watchDisk();
    await expectBytes(await wanted(uri, ...groups));
    expect(ranges).toEqual([[0, 299 * 200 + 150]]);
    expect(opened.slice(1)).toEqual([uri]);
    expect(closed).toEqual(opened);
  });

  test('reads apart what lies further apart than a request is worth', async () => {
    const uri = fileOf('far', JOIN_GAP_BYTES + 1000);
    const { ranges } = watchDisk();
    await expectBytes(await wanted(uri, [[0, 10]], [[JOIN_GAP_BYTES + 10, JOIN_GAP_BYTES + 20]]));
    expect(ranges).toEqual([[0, JOIN_GAP_BYTES + 20]]);
    ranges.length = 0;
    await expectBytes(await wanted(uri, [[0, 10]], [[JOIN_GAP_BYTES + 11, JOIN_GAP_BYTES + 20]]));
    expect(ranges).toEqual([
      [0, 10],
      [JOIN_GAP_BYTES + 11, JOIN_GAP_BYTES + 20],
    ]);
  });

  test('reads no more bytes in vain than a request holds', async () => {
    const step = JOIN_GAP_BYTES / 2 + 10;
    const count = (2 * REQUEST_BYTES) / JOIN_GAP_BYTES + 8;
    const uri = fileOf('sparse', step * count);
    const groups = Array.from({ length: count }, (_, i): [number, number][] => [[step * i, step * i + 10]]);
    const { ranges } = watchDisk();
    await expectBytes(await wanted(uri, ...groups));
    const readBytes = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
    expect(ranges).toHaveLength(8);
    expect(readBytes).toBe(REQUEST_BYTES + 10 * count);
  });

  test('reads row groups with gaps of their own, and those that come in another order, each for itself', async () => {
    const uri = fileOf('gaps', 5000);
    const { ranges } = watchDisk();
    await expectBytes(
      await wanted(
        uri,
        [[0, 10]],
        [
          [20, 30],
          [4000, 4010],
        ],
        [[4020, 4030]],
        [[100, 110]],
        [],
        [[110, 120]],
      ),
    );
    expect(ranges.sort(([a], [b]) => a - b)).toEqual([
      [0, 10],
      [20, 30],
      [100, 110],
      [110, 120],
      [4000, 4010],
      [4020, 4030],
    ]);
  });

  test('opens each file once, keeps the order, and leaves those alone that have their bytes', async () => {
    const [a, b] = [fileOf('a', 100), fileOf('b', 100)];
    const ofA = await wanted(a, [[0, 10]], [[10, 20]], [[20, 30]], [[40, 50]]);
    const ofB = await wanted(b, [[5, 15]]);
    const own = files.get(a)!.subarray(20, 30);
    const { opened, closed, ranges } = watchDisk();
    await expectBytes([ofA[0]!, ofA[1]!, { ...ofA[2]!, buffer: own }, ofA[3]!, ...ofB]);
    expect(opened).toEqual([a, a, b]);
    expect(closed.sort()).toEqual(opened);
    expect(ranges).toHaveLength(3);
    expect((await readRowGroups([{ ...ofA[2]!, buffer: own }]))[0]!.buffer).toBe(own);
  });

  test('fails with the error of the first row group at fault, and closes every file', async () => {
    const [good, changed, missing] = [fileOf('good', 100), fileOf('changed', 100), fileOf('missing', 100)];
    const rowGroups = await Promise.all(
      [good, changed, missing].map(async (uri) => (await wanted(uri, [[0, 10]]))[0]!),
    );
    const { opened, closed } = watchDisk();
    const broken = [
      rowGroups[0]!,
      { ...rowGroups[1]!, version: 'another' },
      { ...rowGroups[2]!, uri: join(folder, 'gone') },
    ];
    await expect(readRowGroups(broken)).rejects.toMatchObject({
      code: 'STORAGE_FILE_CHANGED',
      location: { file: changed },
    });
    await expect(readRowGroups([...broken].reverse())).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    expect(closed).toEqual(opened);
  });
});
