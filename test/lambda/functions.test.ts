import { describe, expect, it } from 'vitest';
import type { PlannedRun } from '../../functions/planRun.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { expectRows, first, PARTITION, second } from '../publish/partitionUnderTest.ts';
import { readS3Json } from '../support/s3/readS3Json.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { DeployedFunctions, FUNCTIONS } from './deployedFunctions.ts';

// The packaged functions as Lambda runs them, by both ways in.
const lambda = new DeployedFunctions(testEndpoint());

it('shards that land end published with the bits that `score` gives on local files', async () => {
  lambda.land('a.parquet', first);
  lambda.land('b b.parquet', second);
  await lambda.deliverAll();
  await expectRows(lambda.place, lambda.model.bundle, first, second);
  for (const name of FUNCTIONS) expect(lambda.functions[name].starts, name).toBe(1);
});

it('the steps of a run end published with the same bits', async () => {
  const shards = [first, second];
  for (const [i, rows] of shards.entries()) lambda.land(`${i}.parquet`, rows);
  const { plan, score, publish } = lambda.functions;
  const planned = (await plan.invoke({ partitions: { kind: 'newest' } })) as PlannedRun;
  const units = await readS3Json(planned.units.bucket, planned.units.key);
  expect(units.length).toBe(planned.unitCount);
  for (const unit of units) expect(await score.invoke(unit)).toMatchObject({ partsScored: 1 });
  const [request, ...others] = await readS3Json(planned.publish.bucket, planned.publish.key);
  expect(others).toEqual([]);
  expect(await publish.invoke(request)).toMatchObject({ kind: 'published', pointer: { generation: 1 } });
  await expectRows(lambda.place, lambda.model.bundle, ...shards);
});

describe('of a batch with a broken message', () => {
  const OTHER = 'dt=2024-03-08';

  it('plan names that one, and the one whose shard has no footer, and plans the others', async () => {
    const noShard = lambda.land('a.parquet', Buffer.from('PAR1 and nothing more'), OTHER);
    lambda.land('a.parquet', first);
    const broken = lambda.send('plan', '{"Records":[{}]}');
    lambda.land('b.parquet', second);
    const failed = await lambda.deliver('plan');
    expect(failed.sort()).toEqual([broken, noShard].sort());
    const planned = lambda.documents<{ partition: string }>('score');
    expect(planned.length).toBeGreaterThan(1);
    expect(new Set(planned.map(({ partition }) => partition))).toEqual(new Set([PARTITION]));
    lambda.waiting('plan').length = 0;
    await lambda.deliverAll();
    await expectRows(lambda.place, lambda.model.bundle, first, second);
  });

  it('score names the one whose pages are damaged, and that which is no unit, and scores the others', async () => {
    const damaged = Buffer.from(funnelShard(funnelRows('2024-03-08', 50), 60));
    damaged.fill(0xff, 4, 64);
    lambda.land('a.parquet', damaged, OTHER);
    await lambda.deliver('plan');
    const [damagedUnit] = lambda.waiting('score').map(({ messageId }) => messageId);
    const noUnit = lambda.send('score', '{}');
    lambda.land('a.parquet', first);
    await lambda.deliver('plan');
    expect(await lambda.deliver('score')).toEqual([damagedUnit, noUnit]);
    const errors = lambda.functions.score.logRecords().filter(({ level }) => level === 'ERROR');
    expect(errors).toMatchObject([
      {
        messageId: damagedUnit,
        error: { code: expect.stringMatching(/^SHARD_/), location: { rowGroup: 0 } },
      },
      { messageId: noUnit, error: { code: 'EVENT_INVALID' } },
    ]);
    lambda.waiting('score').length = 0;
    await lambda.deliverAll();
    await expectRows(lambda.place, lambda.model.bundle, first);
    expect(lambda.functions.score.starts).toBe(1);
  });

  it('publish names that one and publishes the others', async () => {
    lambda.land('a.parquet', first);
    await lambda.deliver('plan');
    await lambda.deliver('score');
    const broken = lambda.send('publish', 'no JSON');
    expect(await lambda.deliver('publish')).toEqual([broken]);
    await expectRows(lambda.place, lambda.model.bundle, first);
  });
});
