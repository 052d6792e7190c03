import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { FingerprintFile } from '../../lib/keys/fingerprintFile.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';

const folder = mkdtempSync(join(tmpdir(), 'fingerprints-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function fileOf(values: BigUint64Array): Promise<FingerprintFile> {
  const path = join(folder, `${values.length}-${Math.random()}.bin`);
  writeFileSync(path, new Uint8Array(values.buffer));
  const file = await storageFor(path).open(path);
  await file.close();
  return new FingerprintFile(path, { sizeBytes: file.sizeBytes, version: file.version });
}

/** Each value once, with how many more times it is there. */
function counted(values: BigUint64Array): [bigint, number][] {
  const found = new Map<bigint, number>();
  for (const value of values) found.set(value, (found.get(value) ?? -1) + 1);
  return [...found];
}

/** More than a file that is read whole has, so that a repeated value may go on from one read to the next. */
const COUNT = 30_000;

test.each([
  ['none repeats', 1, 0],
  ['some do', 0.9, 20],
  ['one takes up most of it', 0.2, 1],
  ['many repeat often', 0.1, 60],
])('each value is given once, with its repetitions, in any ranges where %s', async (_, share, repeated) => {
  const random = new RandomStream(repeated + 1);
  const any = () => (BigInt(random.nextBelow(2 ** 32)) << 32n) | BigInt(random.nextBelow(2 ** 32));
  const often = Array.from({ length: repeated }, any);
  const values = BigUint64Array.from({ length: COUNT }, () =>
    random.nextUniform() < share ? any() : often[random.nextBelow(repeated)]!,
  ).sort();
  for (const ranges of [1, 3, 16]) {
    const file = await fileOf(values);
    const given: [bigint, number][] = [];
    for (let range = 1; range <= ranges; range++) {
      await file.readUpTo(Math.round((range * 2 ** 32) / ranges), {
        mayKeep: () => false,
        take: (words, repeats) => {
          const own = new BigUint64Array(words.slice().buffer);
          for (const [index, value] of own.entries())
            given.push([value, index === own.length - 1 ? repeats : 0]);
        },
      });
    }
    expect(given).toEqual(counted(values));
  }
});

test('a file that is not sorted is refused, whichever two values change places', async () => {
  const values = BigUint64Array.from({ length: 40 }, (_, index) => BigInt(index) << 34n);
  for (const at of [0, 1, 17, 38]) {
    const changed = values.slice();
    [changed[at], changed[at + 1]] = [changed[at + 1]!, changed[at]!];
    const file = await fileOf(changed);
    const sink = { take: () => undefined, mayKeep: () => true };
    await expect(file.readUpTo(2 ** 32, sink)).rejects.toMatchObject({ code: 'PUBLISH_DOCUMENT_INVALID' });
  }
});
