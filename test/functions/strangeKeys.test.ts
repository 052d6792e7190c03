import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { EventPath } from '../support/functions/eventPath.ts';
import { currentJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

// What S3 takes as a key and no upstream should write: from the event to the published scores, on the deployed state machine.
const DAY = 'dt=2024-03-11';
const NAMES: readonly (readonly [what: string, path: string])[] = [
  ['a slash too many before it', '/a.parquet'],
  ['an empty folder', 'hour//a.parquet'],
  ['plus and blanks', ' a+b  c .parquet'],
  ['an escape', '100%25%2Fa.parquet'],
  ['signs of URLs', 'a#b?c=d&e.parquet'],
  ['signs of XML and JSON', `<a> "b" 'c' &amp; \\n.parquet`],
  ['other scripts', 'ünï-日本-😀.parquet'],
  ['a line break and a tab', 'a\n\tb.parquet'],
  ['a backslash', 'a\\..\\b.parquet'],
  ['dots at its end', 'a../b...parquet'],
];
const s3 = testEndpoint();
const folder = temporaryFolder();
let model: TinyModel;
let path: EventPath;
let caseNumber = 0;

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a shard whose key has', () => {
  beforeAll(async () => {
    path = await EventPath.start(s3);
    model = await trainTinyModel(join(folder, 'model'));
    await putFolder(model.bundleUri, `s3://${s3.bucket}/models/0`);
  }, 60_000);
  afterAll(() => path?.stop());
  beforeEach(() => {
    path.begin(`case-${caseNumber++}`, `s3://${s3.bucket}/models/0`, 1000);
  });

  /** Lands shards of rows of their own, and expects all of them published by runs that succeed. */
  async function expectPublished(names: readonly string[]): Promise<void> {
    const input = join(folder, `local-${caseNumber}`);
    mkdirSync(input);
    const rows = funnelRows('2024-03-11', 40 * names.length);
    for (const [i, name] of names.entries()) {
      const shard = funnelShard(rows.slice(40 * i, 40 * i + 40), 20);
      writeFileSync(join(input, `${i}.parquet`), shard);
      await path.land(`${DAY}/${name}`, shard);
    }
    await path.deliverAll(1);
    expect(new Set(path.runs().map(({ status, cause }) => cause ?? status))).toEqual(new Set(['SUCCEEDED']));
    await scoreInput(input, `${input}-scores`, model.bundle, { workers: 1 });
    const files = filesBelow(`${input}-scores`).map((file) => join(`${input}-scores`, file));
    const expected = new Map(files.flatMap((file) => [...scoreBits(file)]));
    expect(isDeepStrictEqual(await publishedBits(currentJob().scores, DAY), expected)).toBe(true);
  }

  it.each(NAMES.slice(0, 2))('%s is scored and published like any other', async (_, name) => {
    await expectPublished([name, 'plain.parquet']);
  });

  it('all of this stands beside the others', async () => {
    await expectPublished(NAMES.map(([, name]) => name));
  });
});
