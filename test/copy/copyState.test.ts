import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetMetadata } from 'hyparquet';
import pl from 'nodejs-polars';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { copyState, type StateCopy } from '../../lib/copy/copyState.ts';
import { below } from '../../lib/publish/outputLayout.ts';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import {
  first,
  freshPlace,
  PARTITION,
  type Place,
  put,
  replacing,
  run,
  second,
} from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const folder = temporaryFolder();

const s3 = testEndpoint();
let model: ModelBundle;
/** A partition of several parts, and what was published when one of its shards had been replaced. */
let place: Place;
let replaced: Place;
beforeAll(async () => {
  ({ bundle: model } = await trainTinyModel(join(folder, 'model')));
  place = freshPlace(folder);
  await put(place, 'a.parquet', first);
  await put(place, 'b.parquet', second);
  expect(await run(place, model)).toMatchObject({ outcome: { kind: 'published' } });
  replaced = { ...place, root: clone(place.root) };
  await put(place, 'a.parquet', replacing);
  expect(await run(replaced, model)).toMatchObject({ outcome: { kind: 'published' } });
}, 60_000);

let count = 0;
/** The same root elsewhere. */
function clone(root: string): string {
  const other = join(folder, `root-${count++}`);
  cpSync(root, other, { recursive: true });
  return other;
}
const freshOutput = () => join(folder, `copy-${count++}`);
const copy = ({ root }: Place, output: string) => copyState(root, PARTITION, output);

/** All rows of some files, one after the other, as polars reads them. */
async function framesOf(uris: readonly string[], read: (bytes: Buffer) => pl.DataFrame) {
  const bytes = await Promise.all(uris.map((uri) => storageFor(uri).readWhole(uri)));
  return pl.concat(bytes.map((each) => read(Buffer.from(each))));
}

/** That a copy has the rows that a pointer leads to, in their order, and nothing else. */
async function expectCopyOf({ root }: Place, { folder, files }: StateCopy): Promise<void> {
  const { manifest } = await resolvePartition(root, PARTITION);
  const paths = manifest.parts.map(({ path }) => path);
  expect(files).toEqual(paths.map((path) => path.split('/').at(-1)!.replace('.arrow', '.parquet')));
  const listed = (await storageFor(folder).list(folder)).map(({ relativePath }) => relativePath);
  expect(listed).toEqual([...files].sort());
  const arrow = await framesOf(
    paths.map((path) => below(root, path)),
    (bytes) => pl.readIPC(bytes),
  );
  const parquet = await framesOf(
    files.map((name) => joinUri(folder, name)),
    (bytes) => pl.readParquet(bytes),
  );
  expect(arrow.height).toBe(manifest.rows);
  expect(parquet.columns).toEqual(arrow.columns);
  expect(
    parquet.columns.filter((name) => !parquet.getColumn(name).seriesEqual(arrow.getColumn(name))),
  ).toEqual([]);
}

describe('a copy of a published partition', () => {
  it.each([
    ['on disk', () => folder],
    ['in S3', () => `s3://${s3.bucket}`],
  ])('has the rows of all parts in their order, one file per part, %s', async (_where, base) => {
    const done = await copy(place, joinUri(base(), 'copies'));
    expect(done).toMatchObject({ outcome: 'copied', partition: PARTITION, rows: 550 });
    expect(done.folder).toBe(joinUri(base(), 'copies', PARTITION));
    expect(done.files.length).toBeGreaterThan(3);
    await expectCopyOf(place, done);
    expect(await storageFor(done.folder).stat(joinUri(done.folder, '_SUCCESS'))).toMatchObject({
      sizeBytes: 0,
    });
  });

  it('is left as it is when it is asked for again', async () => {
    const output = freshOutput();
    const done = await copy(place, output);
    const stamps = () =>
      readdirSync(done.folder).map((name) => [name, statSync(join(done.folder, name)).mtimeMs]);
    const before = stamps();
    expect(await copy(place, output)).toEqual({ ...done, outcome: 'unchanged' });
    expect(stamps()).toEqual(before);
  });

  it('names manifest, partition and model in every file', async () => {
    const { folder: at, files, manifest } = await copy(place, freshOutput());
    const { pointer } = await resolvePartition(place.root, PARTITION);
    expect(manifest).toBe(pointer.current.sha256);
    for (const name of files) {
      const { key_value_metadata } = parquetMetadata(new Uint8Array(readFileSync(join(at, name))).buffer);
      expect(Object.fromEntries(key_value_metadata!.map(({ key, value }) => [key, value]))).toMatchObject({
        'ncs4cvr.partition': PARTITION,
        'ncs4cvr.manifest_sha256': manifest,
        'ncs4cvr.model_sha256': pointer.current.model.sha256,
      });
    }
  });

  it('holds only what the pointer names, not parts of a former state', async () => {
    const [before, after] = [await copy(place, freshOutput()), await copy(replaced, freshOutput())];
    expect(after.rows).toBe(410);
    expect(before.files.some((name) => !after.files.includes(name))).toBe(true);
    await expectCopyOf(replaced, after);
  });

  it('of a partition without rows is a complete copy', async () => {
    const empty = freshPlace(folder);
    await put(empty, 'a.parquet', []);
    expect(await run(empty, model)).toMatchObject({ outcome: { kind: 'published' } });
    const done = await copy(empty, freshOutput());
    expect(done).toMatchObject({ outcome: 'copied', rows: 0 });
    expect(existsSync(join(done.folder, '_SUCCESS'))).toBe(true);
    const shapes = done.files.map((name) => pl.readParquet(readFileSync(join(done.folder, name))).shape);
    expect(shapes).toEqual([{ height: 0, width: 5 }]);
  });
});

describe('a copy that was stopped', () => {
  it('lacks _SUCCESS, and goes on with the files that are missing', async () => {
    const output = freshOutput();
    const root = clone(place.root);
    const { manifest } = await resolvePartition(root, PARTITION);
    rmSync(below(root, manifest.parts[1]!.path));
    await expect(copyState(root, PARTITION, output)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' });
    const at = join(output, PARTITION);
    const name = `${manifest.parts[0]!.partId}.parquet`;
    expect(readdirSync(at).sort()).toEqual([name, '_ncs4cvr.json'].sort());
    const stamp = statSync(join(at, name)).mtimeMs;
    const done = await copy(place, output);
    expect(done.outcome).toBe('copied');
    expect(statSync(join(at, name)).mtimeMs).toBe(stamp);
    await expectCopyOf(place, done);
  });

  it('is completed when it lost a file afterwards', async () => {
    const output = freshOutput();
    const done = await copy(place, output);
    rmSync(join(done.folder, done.files[0]!));
    expect(await copy(place, output)).toEqual(done);
    await expectCopyOf(place, done);
  });
});

describe('a copy is refused', () => {
  it('where the folder is a copy of another state of the partition, complete or not', async () => {
    const output = freshOutput();
    const { folder: at, manifest } = await copy(place, output);
    const before = readdirSync(at);
    const refusal = { code: 'EXPORT_OTHER_STATE', found: expect.stringContaining(manifest) };
    await expect(copy(replaced, output)).rejects.toMatchObject(refusal);
    rmSync(join(at, '_SUCCESS'));
    await expect(copy(replaced, output)).rejects.toMatchObject(refusal);
    expect(readdirSync(at)).toEqual(before.filter((name) => name !== '_SUCCESS'));
  });

  it('to the slower of two states that go to one folder at the same time', async () => {
    const output = freshOutput();
    const [one, other] = await Promise.allSettled([copy(place, output), copy(replaced, output)]);
    const [won, lost, wonBy] = one.status === 'fulfilled' ? [one, other, place] : [other, one, replaced];
    expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'EXPORT_OTHER_STATE' } });
    await expectCopyOf(wonBy, (won as PromiseFulfilledResult<StateCopy>).value);
  });

  it('where other files would be read with it', async () => {
    const output = freshOutput();
    await storageFor(output).createIfAbsent(join(output, PARTITION, 'mine.parquet'), new Uint8Array(4));
    await expect(copy(place, output)).rejects.toMatchObject({
      code: 'EXPORT_FOREIGN_FILES',
      found: 'mine.parquet',
    });
    expect(readdirSync(join(output, PARTITION))).toEqual(['mine.parquet']);
  });

  it('of a part that has other bytes than were published, and nothing is left under its name', async () => {
    const output = freshOutput();
    const root = clone(place.root);
    const { manifest } = await resolvePartition(root, PARTITION);
    const part = below(root, manifest.parts[0]!.path);
    const bytes = readFileSync(part);
    // A score: the file stays a whole Arrow file.
    const [score] = pl.readIPC(bytes).getColumn('pctr').toTypedArray() as Float32Array;
    const at = bytes.indexOf(new Uint8Array(Float32Array.of(score!).buffer));
    bytes[at + 1]! ^= 1;
    writeFileSync(part, bytes);
    await expect(copyState(root, PARTITION, output)).rejects.toMatchObject({
      code: 'PUBLISH_PART_DAMAGED',
      location: { file: part },
    });
    expect(readdirSync(join(output, PARTITION))).toEqual(['_ncs4cvr.json']);
  });

  it('of a partition that was never published', async () => {
    await expect(copyState(place.root, 'dt=1999-01-01', freshOutput())).rejects.toMatchObject({
      code: 'PUBLISH_NOTHING',
    });
  });
});
