import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { TINY_CONFIG } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { runMain } from './runMain.ts';

const s3 = testEndpoint();
const folder = temporaryFolder();

/** Bytes of every object below a prefix, by the rest of its key. */
async function objectsBelow(prefix: string): Promise<Map<string, Buffer>> {
  const bucket = s3.double!.buckets.get(s3.bucket)!;
  return new Map(bucket.keys(prefix, '').map((key) => [key.slice(prefix.length), bucket.get(key).bytes]));
}

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('commands with s3:// URIs', () => {
  it('train, score, evaluate and inspect as on local paths; the scores have the same bits', async () => {
    const root = `s3://${s3.bucket}`;
    writeTinyFunnel(join(folder, 'data'));
    writeFileSync(join(folder, 'config.json'), JSON.stringify(TINY_CONFIG));
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    await putFolder(join(folder, 'data'), `${root}/data`);
    bucket.put('config.json', readFileSync(join(folder, 'config.json')), {}, {});

    const train = await runMain(
      'train',
      `${root}/config.json`,
      '--data',
      `${root}/data`,
      '--output',
      `${root}/model`,
    );
    expect(train.exitCode, train.stderr).toBe(0);
    const written = await objectsBelow('model/');
    const { files } = JSON.parse(Buffer.from(written.get('bundle.json')!).toString());
    expect([...written.keys()].sort()).toEqual(['bundle.json', ...Object.keys(files)].sort());
    for (const [key, bytes] of await objectsBelow('model/')) {
      mkdirSync(dirname(join(folder, 'model', key)), { recursive: true });
      writeFileSync(join(folder, 'model', key), bytes);
    }

    const score = (base: string) =>
      runMain('score', '--model', `${base}/model`, '--input', `${base}/data`, '--output', `${base}/scores`);
    const [remote, local] = [await score(root), await score(folder)];
    expect(remote.exitCode, remote.stderr).toBe(0);
    expect(local.exitCode, local.stderr).toBe(0);
    const remoteScores = await objectsBelow('scores/');
    expect([...remoteScores.keys()]).toEqual(filesBelow(join(folder, 'scores')));
    for (const [file, bytes] of remoteScores) {
      const copy = join(folder, 'copy.arrow');
      writeFileSync(copy, bytes);
      const [fromS3, fromDisk] = [scoreBits(copy), scoreBits(join(folder, 'scores', file))];
      expect(fromS3.size).toBeGreaterThan(0);
      expect(isDeepStrictEqual(fromS3, fromDisk), file).toBe(true);
    }

    const inspect = await runMain('inspect', `${root}/model`);
    expect(inspect.stdout).toContain('tiny-1');
    expect(
      (await runMain('train', `${root}/config.json`, '--data', `${root}/data`, '--output', `${root}/model`))
        .stderr,
    ).toMatch(/^error: BUNDLE_EXISTS: s3:/);
  }, 60_000);

  it('name a bucket that is not there', async () => {
    const { exitCode, stderr } = await runMain('inspect', 's3://no-such-bucket/model');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: STORAGE_NOT_FOUND: s3:\/\/no-such-bucket\/model/);
  });
});
