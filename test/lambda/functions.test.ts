import { describe, expect, it } from 'vitest';
import { resolvePartition } from '../../lib/publish/publishedState.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { expectRows, first, second } from '../publish/partitionUnderTest.ts';
import { planWhole } from '../support/functions/planWhole.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { DeployedFunctions, FUNCTIONS } from './deployedFunctions.ts';

// The packaged functions as Lambda runs them, by both ways in.
const lambda = new DeployedFunctions(testEndpoint());
const OTHER = 'dt=2024-03-08';
const BOTH = { partitions: { kind: 'dates', from: '2024-03-01', to: '2024-03-31' } };

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
  const request = { partitions: { kind: 'newest' } };
  const [planned, ...others] = await planWhole((step) => plan.invoke(step), request);
  expect(others).toEqual([]);
  const { run, units } = planned!;
  expect(units.length).toBe(run.unitCount);
  for (const unit of units) expect(await score.invoke(unit)).toMatchObject({ partsScored: 1 });
  expect(await publish.invoke(run.item)).toEqual({ kind: 'published', generation: 1 });
  await expectRows(lambda.place, lambda.model.bundle, ...shards);
});

describe('what is broken', () => {
  it('of a batch is named, and the other messages start their runs', async () => {
    const broken = [lambda.queue.put('{"Records":[{}]}'), lambda.queue.put('{"hello":"world"}')];
    lambda.land('a.parquet', first);
    expect(await lambda.deliver()).toEqual(broken);
    const errors = lambda.functions.arrivals.logRecords().filter(({ level }) => level === 'ERROR');
    expect(errors).toMatchObject(
      broken.map((messageId) => ({ messageId, retryable: false, error: { code: 'EVENT_INVALID' } })),
    );
    await lambda.sfn.settled();
    await expectRows(lambda.place, lambda.model.bundle, first);
  });

  it.each([
    ['without a footer', () => Buffer.from('PAR1 and nothing more')],
    [
      'whose pages are damaged',
      () => Buffer.from(funnelShard(funnelRows('2024-03-08', 50), 60)).fill(0xff, 4, 64),
    ],
  ])('of a run, such as a shard %s, leaves the other partitions published', async (_, shard) => {
    lambda.land('a.parquet', shard(), OTHER);
    lambda.land('a.parquet', first);
    await expect(lambda.run(BOTH)).rejects.toThrow(/of 2 partitions, 1 failed/);
    await expectRows(lambda.place, lambda.model.bundle, first);
    await expect(resolvePartition(lambda.place.root, OTHER)).rejects.toMatchObject({
      code: 'PUBLISH_NOTHING',
    });
  });
});
