import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { handler as publishHandler } from '../../functions/publish.ts';
import { handler as scoreHandler } from '../../functions/score.ts';
import { metrics } from '../../functions/telemetry.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { DEFAULT_GATES } from '../../lib/job/gateSettings.ts';
import { readAudit } from '../../lib/publish/audit.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { workUnits } from '../../lib/publish/workUnit.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { first, freshPlace, PARTITION, put, runOf, settingsOf } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

// What dashboards show of a partition that the functions score and publish.
let bundle: ModelBundle;
const added = vi.spyOn(metrics, 'addMetric');
const counted = (name: string) => added.mock.calls.filter(([of]) => of === name).map(([, , value]) => value);

beforeAll(async () => {
  ({ bundle } = await trainTinyModel(join(folder, 'model')));
}, 60_000);
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('of a partition', () => {
  it('count what its units take, and how far the night is from the reference', async () => {
    const place = freshPlace(folder);
    await put(place, 'a.parquet', first);
    const gates = { ...DEFAULT_GATES, rows: { ...DEFAULT_GATES.rows, action: 'off' as const } };
    const inputs = [{ partition: PARTITION, inputUri: place.inputUri }];
    const { plan } = await makeRunPlan({ ...settingsOf(place, bundle), gates }, inputs);
    const units = await workUnits(runOf(place, bundle, { gates }), plan.partitions[0]!.parts);
    vi.stubEnv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE', '2048');
    let gigabyteSeconds = 0;
    for (const unit of units) {
      const { usage } = await scoreHandler(unit, { getRemainingTimeInMillis: () => 900_000 });
      expect(usage?.calls).toBe(1);
      gigabyteSeconds += usage!.gigabyteSeconds;
    }
    expect(units.length).toBeGreaterThan(1);
    expect(counted('gigabyteSeconds')).toHaveLength(units.length);
    const sum = counted('gigabyteSeconds').reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(gigabyteSeconds, 9);
    expect(counted('rowsScored').reduce((total, value) => total + value, 0)).toBe(first.length);

    // What another call has taken before it is handed on, and counted once.
    added.mockClear();
    const before = { gigabyteSeconds: 1000, calls: 2 };
    const { usage } = await scoreHandler(
      { ...units[0]!, usage: before },
      { getRemainingTimeInMillis: () => 900_000 },
    );
    expect(usage?.calls).toBe(3);
    expect(usage!.gigabyteSeconds).toBeGreaterThan(1000);
    expect(counted('gigabyteSeconds')[0]).toBeCloseTo(usage!.gigabyteSeconds - 1000, 6);

    await publishHandler(runOf(place, bundle, { gates }));
    const { pointer } = await readPointer(place.root, PARTITION);
    const { verdicts } = await readAudit(place.root, pointer!.current.audit);
    for (const [gate, name] of [
      ['scoreDistributions', 'scoreDrift'],
      ['featureDistributions', 'featureDrift'],
      ['unseenValues', 'unseenGrowth'],
      ['missingValues', 'missingGrowth'],
    ]) {
      const found = verdicts.filter((verdict) => verdict.gate === gate).map((verdict) => verdict.found!);
      expect(found.length, name).toBeGreaterThan(1);
      expect(counted(name!), name).toEqual([Math.max(...found)]);
    }
  }, 120_000);
});
