import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { beforeAll, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
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
  settingsOf,
} from '../publish/partitionUnderTest.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();

let bundle: ModelBundle;

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);

/** The command's answer to a plan of the place as it is now. */
async function runAt(place: Place) {
  const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
  const { plan } = await makeRunPlan(settingsOf(place, bundle), inputs);
  const file = `${place.root}.plan.json`;
  writeFileSync(file, JSON.stringify(plan));
  return callMain('run', '--plan', file);
}

it('run ends with 3 for a held partition, and scores nothing of what has landed there', async () => {
  const place = freshPlace(folder);
  for (const rows of [first, second]) {
    await put(place, 'a.parquet', rows);
    await run(place, bundle);
  }
  await rollBack(place.root, PARTITION, 'wrong day');
  await put(place, 'b.parquet', replacing);
  const parts = filesBelow(join(place.root, 'parts'));
  expect(await runAt(place)).toMatchObject({
    exitCode: 3,
    stdout: `${PARTITION}: held, nothing scored: wrong day\nwhat to do: once it is right again, plan with --lift-hold\n`,
  });
  expect(filesBelow(join(place.root, 'parts'))).toEqual(parts);
});

it('run ends with 4 for a partition that a gate refuses, and with 0 once it passes', async () => {
  const place = freshPlace(folder);
  await put(place, 'a.parquet', first);
  const broken = joinUri(place.inputUri, 'b.parquet');
  writeFileSync(broken, 'PAR1 and no footer');
  const refused = await runAt(place);
  expect(refused.exitCode).toBe(4);
  expect(refused.stdout).toMatch(
    /^dt=2024-03-09: refused, 4 parts scored\n {2}- .*b\.parquet.*\nwhat to do: write the shard again\n$/,
  );
  rmSync(broken);
  expect(await runAt(place)).toMatchObject({
    exitCode: 0,
    stdout: `${PARTITION}: published, 0 parts scored, 400 rows of tiny-1, generation 1\n`,
  });
});

it('run ends with 4 for a partition with a row that has no key, and says where it is', async () => {
  const place = freshPlace(folder);
  await put(place, 'a.parquet', first);
  const shard = joinUri(place.inputUri, 'a.parquet');
  const keyless = pl.readParquet(shard).withColumn(
    pl
      .when(pl.col('hour').gt(pl.lit(20)))
      .then(pl.lit(null))
      .otherwise(pl.col('request'))
      .alias('request'),
  );
  writeFileSync(shard, keyless.writeParquet() as Buffer);
  const { exitCode, stdout } = await runAt(place);
  expect(exitCode, stdout).toBe(4);
  expect(stdout).toMatch(
    /^dt=2024-03-09: refused, 0 parts scored\n {2}- .*SHARD_KEY_NULL: .*a\.parquet, row group 0, column 'request': /,
  );
});

it('run asks for a plan when another document was named', async () => {
  const job = join(folder, 'job.json');
  writeFileSync(job, JSON.stringify({ input: 'a', scores: 'b', model: 'c' }));
  const { exitCode, stderr } = await callMain('run', '--plan', job);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/PLAN_INVALID.*what to do: name a file that plan --output wrote/s);
});
