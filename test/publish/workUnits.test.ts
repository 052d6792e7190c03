import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { publishPartition } from '../../lib/publish/publishPartition.ts';
import { type WorkUnit, workUnits } from '../../lib/publish/runPlan.ts';
import { type ScoredUnit, scoreUnit } from '../../lib/publish/scoreUnit.ts';
import { WorkerPool } from '../../lib/scoring/workerPool.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { planOf } from './planOf.ts';

const rowsOf = (units: readonly WorkUnit[]) => units.map(({ spans }) => spans.map(({ rows }) => rows));

describe('work units', () => {
  it('put small spans together up to the target, leave large ones alone, and never mix partitions', () => {
    expect(rowsOf(workUnits(planOf([40, 50, 30, 250, 100, 1])))).toEqual([
      [40, 50],
      [30],
      [250],
      [100],
      [1],
      [40],
    ]);
  });

  it('leave out what is done', () => {
    expect(rowsOf(workUnits(planOf([40, 50, 30], [1])))).toEqual([[40, 30], [40]]);
    expect(workUnits(planOf([], [])).length).toBe(0);
  });

  it('stay below the size of a queue message, however small the spans', () => {
    for (const unit of workUnits(planOf(Array(1000).fill(0)))) {
      expect(JSON.stringify(unit).length).toBeLessThan(200_000);
    }
  });
});

describe('a worker', () => {
  const folder = temporaryFolder();
  const root = join(folder, 'scores');
  let bundle: ModelBundle;
  let pool: WorkerPool;

  beforeAll(async () => {
    ({ bundle } = await trainTinyModel(join(folder, 'model')));
    pool = new WorkerPool(1, { contract: bundle.contract, modelBytes: bundle.modelBytes, extraColumns: [] });
    writeFileSync(join(folder, 'a.parquet'), funnelShard(funnelRows('2024-03-09', 400), 50));
  });
  afterAll(() => pool.close());

  it('stops before a span that would not be done in time, keeps what is finished, and hands on the rest', async () => {
    const inputUri = join(folder, 'a.parquet');
    const settings = { modelUri: bundle.uri, root, targetRows: 50, liftHold: false };
    const { plan } = await makeRunPlan(settings, [{ partition: 'dt=1', inputUri }]);
    const [unit] = workUnits({ ...plan, targetRows: 1_000 });
    expect(unit!.spans).toHaveLength(8);
    const place = { root, partition: 'dt=1', model: modelIdentity(bundle) };
    const publish = () => publishPartition(place, { inputUri, targetRows: 50, modelUri: bundle.uri });
    // A clock that has time for three spans, then none: later workers are given one span each.
    let left = 3;
    const deadline = { remainingMillis: () => (left-- > 1 ? 60_000 : 100), reserveMillis: 1_000 };
    let scored: ScoredUnit = await scoreUnit(unit!, bundle, pool, deadline);
    expect(scored).toMatchObject({ partsScored: 3, partsDoneBefore: 0, rowsScored: 150 });
    expect(scored.rest!.spans).toEqual(unit!.spans.slice(3));
    expect(await publish()).toMatchObject({ kind: 'incomplete', missing: unit!.spans.slice(3) });
    let workers = 1;
    for (; scored.rest !== undefined; workers++) {
      scored = await scoreUnit(scored.rest, bundle, pool, { remainingMillis: () => 0, reserveMillis: 0 });
      expect(scored.partsScored).toBe(1);
    }
    expect(workers).toBe(6);
    expect(await publish()).toMatchObject({ kind: 'published', pointer: { current: { rows: 400 } } });
    // A redelivered message finds everything done.
    const again = await scoreUnit(unit!, bundle, pool, { remainingMillis: () => 60_000, reserveMillis: 0 });
    expect(again).toEqual({ partsScored: 0, partsDoneBefore: 8, rowsScored: 0, rest: undefined });
  });
});
