import { expect, it } from 'vitest';
import { refuseForeignPlan, refuseForeignPlanUri, refuseLocalPlan } from '../../lib/publish/refusePlan.ts';
import type { RunPlan } from '../../lib/publish/runPlan.ts';
import { planOf } from './planOf.ts';

const STAGE = { inputUri: 's3://features/', scoresUri: 's3://scores' };
const URI = `s3://scores/plans/${'a'.repeat(64)}.json`;

/** A plan of one shard, as the stage would make it. */
function planWith(over: Partial<RunPlan> = {}): RunPlan {
  const plan = planOf([100]);
  const [partition] = plan.partitions;
  const partitions = [{ ...partition!, inputUri: 's3://features/dt=1' }];
  return { ...plan, root: 's3://scores/', modelUri: 's3://models/v1', partitions, ...over };
}
const problemsOf = (plan: RunPlan) => {
  try {
    refuseForeignPlan(plan, URI, STAGE);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'PLAN_OTHER_STAGE', location: { file: URI } });
    return (error as { problems: string[] }).problems;
  }
};

it("a plan of the stage's partitions into the stage's scores is taken, with or without a slash at the end", () => {
  expect(problemsOf(planWith())).toEqual([]);
  expect(problemsOf(planWith({ root: 's3://scores' }))).toEqual([]);
});

it('every URI of another stage is named', () => {
  const foreign = planWith({ root: 's3://scores-dev' });
  const other = { ...foreign.partitions[0]!, partition: 'dt=2' };
  expect(problemsOf({ ...foreign, partitions: [...foreign.partitions, other] })).toEqual([
    "scores go to s3://scores-dev, the stage's to s3://scores",
    'dt=2: expected its shards in s3://features/dt=2, found s3://features/dt=1',
  ]);
});

it('a stage that reads a list takes plans of that list only, and others none of a list', () => {
  const list = 's3://features/tonight.txt';
  const [partition] = planWith().partitions;
  const of = (uri: string) =>
    planWith({ partitions: [{ ...partition!, inputUri: 's3://t/dt=1', fileList: { uri, sha256: 'a' } }] });
  const listed = { ...STAGE, inputUri: list };
  expect(() => refuseForeignPlan(of(list), URI, listed)).not.toThrow();
  expect(() => refuseForeignPlan(of('s3://other/list.txt'), URI, listed)).toThrow(
    /dt=1: expected its shards in s3:\/\/features\/tonight\.txt, found s3:\/\/other\/list\.txt/,
  );
  expect(() => refuseForeignPlan(planWith(), URI, listed)).toThrow(/^PLAN_OTHER_STAGE/);
  expect(problemsOf(of(list))).toEqual([`dt=1: expected its shards in s3://features/dt=1, found ${list}`]);
  expect(() => refuseLocalPlan(of('/lists/a.txt'), 'plan.json')).toThrow(/\n {2}- \/lists\/a\.txt$/);
});

it('the days, hours and regions that a partition is compared with are read too, and looked at alike', () => {
  const [partition] = planWith().partitions;
  const of = (inputUri: string) => {
    const unpublished = [{ partition: 'dt=0', inputUri }];
    return planWith({ partitions: [{ ...partition!, earlier: { near: [], unpublished } }] });
  };
  expect(problemsOf(of('s3://features/dt=0'))).toEqual([]);
  expect(problemsOf(of('s3://other/dt=0'))).toEqual([
    'dt=0: expected its shards in s3://features/dt=0, found s3://other/dt=0',
  ]);
  expect(() => refuseLocalPlan(of('/data/dt=0'), 'plan.json')).toThrow(/\n {2}- \/data\/dt=0$/);
  const inputs = [{ partition: 'dt=1/hour=00', inputUri: 's3://other/dt=1/hour=00' }];
  const beside = planWith({
    partitions: [{ ...partition!, earlier: { near: [], beside: { published: [], inputs } } }],
  });
  expect(problemsOf(beside)).toEqual([
    'dt=1/hour=00: expected its shards in s3://features/dt=1/hour=00, found s3://other/dt=1/hour=00',
  ]);
});

it("a plan is read from the stage's own plans only", () => {
  refuseForeignPlanUri(URI, STAGE);
  for (const uri of ['s3://scores-dev/plans/a.json', 's3://scores/parts/a.json', 's3://scores/plansa.json']) {
    expect(() => refuseForeignPlanUri(uri, STAGE)).toThrow(/^PLAN_OTHER_STAGE: .*s3:\/\/scores\/plans\/$/s);
  }
});

it('paths and file:// URIs are named to whoever wants a state machine to run them', () => {
  refuseLocalPlan(planWith(), 'plan.json');
  const local = planWith({ root: '/data/scores', modelUri: 'file:///models/v1' });
  expect(() => refuseLocalPlan(local, 'plan.json')).toThrow(
    /^PLAN_NOT_IN_S3: plan\.json: .*\n {2}- \/data\/scores\n {2}- file:\/\/\/models\/v1$/,
  );
});
