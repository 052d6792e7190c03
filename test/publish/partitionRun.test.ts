import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { arrivalRun } from '../../lib/publish/partitionRun.ts';
import { planPartition } from '../../lib/publish/planPartition.ts';
import { readPointer } from '../../lib/publish/pointer.ts';
import { rollBack } from '../../lib/publish/rollBack.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import {
  expectRows,
  first,
  freshPlace,
  PARTITION,
  type Place,
  publish,
  put,
  run,
  second,
} from './partitionUnderTest.ts';

const folder = temporaryFolder();

let stage: ModelBundle;
let other: ModelBundle;

beforeAll(async () => {
  ({ bundle: stage } = await trainTinyModel(join(folder, 'stage')));
  ({ bundle: other } = await trainTinyModel(join(folder, 'other'), {
    config: { modelVersion: 'tiny-2', training: { seed: 7 } },
  }));
}, 60_000);

const arrival = (place: Place) =>
  arrivalRun(
    parseJob({ input: 'unused', scores: place.root, model: stage.uri, targetRows: 100 }),
    async () => ({ uri: stage.uri, model: modelIdentity(stage) }),
    { partition: PARTITION, inputUri: place.inputUri },
  );
/** The same bundle at a place of its own. */
function copyOf(bundle: ModelBundle, name: string): ModelBundle {
  const uri = join(folder, name);
  cpSync(bundle.uri, uri, { recursive: true });
  return { ...bundle, uri };
}
const pointerOf = async ({ root }: Place) => (await readPointer(root, PARTITION)).pointer!;

describe('a shard that lands', () => {
  it("in a partition that was never published is planned with the stage's model", async () => {
    const place = freshPlace(join(folder, 'arrivals'));
    await put(place, 'a.parquet', second);
    const asked = await arrival(place);
    const model = { modelUri: stage.uri, model: modelIdentity(stage) };
    expect(asked).toMatchObject({ ...model, liftHold: false, basedOnGeneration: 0 });
    expect(await planPartition(asked)).toMatchObject({ partCount: 2, doneCount: 0 });
  });

  it('in a published one is planned with the model that is visible, rolled back or not', async () => {
    const place = freshPlace(join(folder, 'arrivals'));
    await put(place, 'a.parquet', second);
    await run(place, stage);
    await run(place, other);
    await put(place, 'b.parquet', first);
    const asked = await arrival(place);
    const model = { modelUri: other.uri, model: modelIdentity(other) };
    expect(asked).toMatchObject({ ...model, basedOnGeneration: 2 });
    // The two parts of the first shard are done with this model.
    expect(await planPartition(asked)).toMatchObject({ partCount: 6, doneCount: 2 });
    await rollBack(place.root, PARTITION, 'drift');
    expect(await arrival(place)).toMatchObject({ modelUri: stage.uri, model: modelIdentity(stage) });
  });

  it('is not planned with another bundle that has taken the place of the model', async () => {
    const place = freshPlace(join(folder, 'arrivals'));
    const moved = copyOf(other, 'replaced');
    await put(place, 'a.parquet', second);
    await run(place, moved);
    copyOf(stage, 'replaced');
    await expect(arrival(place)).rejects.toMatchObject({
      code: 'PLAN_OTHER_MODEL',
      message: expect.stringContaining(moved.uri),
    });
    // A run with the same model, wherever it is now, is all it takes.
    const found = copyOf(other, 'found-again');
    expect(await run(place, found)).toMatchObject({ partsScored: 0, outcome: { kind: 'published' } });
    expect(await arrival(place)).toMatchObject({ modelUri: found.uri });
    expect(await pointerOf(place)).toMatchObject({ generation: 2, modelSince: 1, history: [] });
  });
});

describe('where the model is', () => {
  it('is said by the later plan: a request that comes late, or twice, does not take it back', async () => {
    const place = freshPlace(join(folder, 'arrivals'));
    await put(place, 'a.parquet', second);
    await run(place, other);
    const moved = copyOf(other, 'moved');
    await run(place, moved);
    expect(await publish(place, other, { basedOnGeneration: 1 })).toMatchObject({ kind: 'unchanged' });
    expect((await pointerOf(place)).current.modelUri).toBe(moved.uri);
    // One state all along: there is nothing to roll back to.
    await expect(rollBack(place.root, PARTITION, 'x')).rejects.toMatchObject({ code: 'PUBLISH_NO_HISTORY' });
  });
});

describe('a run of another model', () => {
  it('is not superseded by shards that landed meanwhile and kept the former one', async () => {
    const place = freshPlace(join(folder, 'arrivals'));
    await put(place, 'a.parquet', second);
    await run(place, stage);
    // Planned here, at generation 1; then a shard lands and is published with the former model.
    await put(place, 'b.parquet', first);
    await run(place, stage);
    expect(await pointerOf(place)).toMatchObject({ generation: 2, modelSince: 1 });
    const late = { basedOnGeneration: 1 };
    expect(await publish(place, other, late)).toMatchObject({ kind: 'incomplete' });
    expect(await run(place, other)).toMatchObject({ outcome: { kind: 'published' } });
    expect(await pointerOf(place)).toMatchObject({ generation: 3, modelSince: 3 });
    await expectRows(place, other, second, first);
    expect(await publish(place, stage, late)).toMatchObject({ kind: 'superseded' });
  });

  it('is superseded by a roll-back that it did not know of, also one to the same model', async () => {
    const place = freshPlace(join(folder, 'arrivals'));
    await put(place, 'a.parquet', second);
    await run(place, stage);
    await put(place, 'b.parquet', first);
    await run(place, stage);
    expect((await rollBack(place.root, PARTITION, 'b is wrong')).pointer).toMatchObject({ modelSince: 3 });
    const lifting = { liftHold: true, basedOnGeneration: 2 };
    expect(await publish(place, other, lifting)).toMatchObject({ kind: 'superseded' });
    expect(await publish(place, stage, lifting)).toMatchObject({
      kind: 'superseded',
      reason: expect.stringContaining('rolled back after this run was planned: b is wrong'),
    });
    await expectRows(place, stage, second);
    expect(await publish(place, stage, { liftHold: true, basedOnGeneration: 3 })).toMatchObject({
      kind: 'published',
    });
    await expectRows(place, stage, second, first);
  });
});
