import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { StartExecution } from '../../lib/arrivals/arrivalRun.ts';
import { readArrivalState } from '../../lib/arrivals/arrivalState.ts';
import { finishArrival } from '../../lib/arrivals/finishArrival.ts';
import { noticeArrival } from '../../lib/arrivals/noticeArrival.ts';
import { UnreadableFiles } from '../../lib/base/unreadableFiles.ts';
import { recentFailures } from '../../lib/publish/lastFailure.ts';
import { publicationStatus } from '../../lib/publish/publishedState.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { changeJob, currentJob } from '../support/functions/jobVariable.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { type RunFailed, redriven, runStateMachine } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

// The state machine as it is deployed, started by arrivals, with the functions in this process.
const scene = scoringRunScene();

describe.skipIf(process.env.NCS4CVR_TEST_S3_ENDPOINT !== undefined)('a run of arrivals', () => {
  const place = () => ({ root: currentJob().scores, partition: 'dt=2024-03-09' });
  let started: string[];
  const start: StartExecution = async (name) => {
    started.push(name);
    return 'running';
  };
  const stateOf = async () => (await readArrivalState(place())).state;
  beforeEach(async () => {
    started = [];
    scene.land('dt=2024-03-09', 40);
    await noticeArrival(place(), { waitSeconds: 90, start });
  });
  const input = { arrival: { partition: 'dt=2024-03-09', round: 1, waitSeconds: 90 } };

  it('waits, publishes with what landed meanwhile, and ends its round', async () => {
    const waited: number[] = [];
    const wait = async (seconds: number) => {
      waited.push(seconds);
      scene.land('dt=2024-03-09', 60, 'b.parquet');
      await noticeArrival(place(), { waitSeconds: 90, start });
    };
    await runStateMachine(scoringRun, input, { ...scene.services, wait });
    expect(waited).toEqual([90]);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
    expect(await stateOf()).toMatchObject({ round: 1, isRunning: false, isPending: false });
  });

  it('that a deployment with another format comes between is told of as failed, and what lands next starts another', async () => {
    const deployed = async (payload: unknown) => {
      const { step, partition } = payload as { step: string; partition: { item: object } };
      if (step === 'finishArrival') {
        await finishArrival(place(), 1, { waitSeconds: 90, start });
        return input.arrival;
      }
      if (step !== 'planPartition') return scene.services.functions.plan!(payload);
      const item = { ...partition.item, formatVersion: 1 };
      return scene.services.functions.plan!({ step, partition: { ...partition, item } });
    };
    const functions = { ...scene.services.functions, plan: deployed };
    const running = runStateMachine(scoringRun, input, { ...scene.services, functions });
    await expect(running).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect(await recentFailures(place().root, new UnreadableFiles())).toMatchObject([
      { partition: 'dt=2024-03-09', problems: [expect.stringContaining('PLAN_OTHER_VERSION')] },
    ]);
    // No other round follows by itself: nothing has landed since.
    expect(await stateOf()).toMatchObject({ round: 1, isRunning: false });
    started = [];
    await noticeArrival(place(), { waitSeconds: 90, start });
    expect(started).toEqual([expect.stringMatching(/-2$/)]);
    await runStateMachine(scoringRun, { arrival: { ...input.arrival, round: 2 } }, scene.services);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
  });

  it('into whose partition shards keep landing leaves them to the next round, and is not failed', async () => {
    let landed = 0;
    scene.beforePublishing = () => scene.land('dt=2024-03-09', 20, `late-${landed++}.parquet`);
    const notice = () => noticeArrival(place(), { waitSeconds: 90, start });
    scene.beforeScoring = notice;
    const plan = async (payload: unknown) => {
      const { step, arrival } = payload as { step: string; arrival: typeof input.arrival };
      if (step !== 'finishArrival') return scene.services.functions.plan!(payload);
      await finishArrival(place(), arrival.round, { waitSeconds: 90, start });
      return arrival;
    };
    const functions = { ...scene.services.functions, plan };
    await runStateMachine(scoringRun, input, { ...scene.services, functions });
    expect(scene.publications).toHaveLength(3);
    expect(await scene.published()).toEqual([]);
    // The next round is on its way, and publishes all of it.
    expect(await stateOf()).toMatchObject({ round: 2, isRunning: true });
    scene.beforePublishing = () => {};
    scene.beforeScoring = () => {};
    await scene.run(ALL, scoringRun, { arrival: { ...input.arrival, round: 2 } });
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
    expect(await stateOf()).toMatchObject({ round: 2, isRunning: false });
  });

  it.each(['is no shard', 'is gone again'])(
    'for what %s ends well, changes nothing and ends its round',
    async (what) => {
      const empty = { root: currentJob().scores, partition: 'dt=2024-03-10' };
      if (what === 'is no shard') scene.put('dt=2024-03-10/manifest.csv', Buffer.from('file,rows\n'));
      await noticeArrival(empty, { waitSeconds: 0, start });
      const arrival = { partition: empty.partition, round: 1, waitSeconds: 0 };
      await scene.run(ALL, scoringRun, { arrival });
      expect(await scene.published()).toEqual([]);
      expect((await readArrivalState(empty)).state).toMatchObject({ isRunning: false, isPending: false });
      // A run that was asked for that partition has nothing to do what it was asked for with.
      await expect(scene.run({ kind: 'one', partition: empty.partition })).rejects.toThrow();
    },
  );

  it.each([
    [{ kind: 'marker' }, () => scene.put('dt=2024-03-09/_SUCCESS', Buffer.alloc(0)), 40],
    [{ kind: 'shards', count: 2 }, () => scene.land('dt=2024-03-09', 60, 'b.parquet'), 100],
  ])(
    'of a job that goes by %o publishes nothing of a partition that is still landing',
    async (completeness, complete, rows) => {
      changeJob({ completeness });
      await scene.run(ALL, scoringRun, input);
      expect(scene.tries.size).toBe(0);
      expect(await scene.published()).toEqual([]);
      expect(await stateOf()).toMatchObject({ round: 1, isRunning: false, isPending: false });
      complete();
      await noticeArrival(place(), { waitSeconds: 90, start });
      await scene.run(ALL, scoringRun, { arrival: { ...input.arrival, round: 2 } });
      expect(await scene.published()).toEqual([['dt=2024-03-09', rows]]);
    },
  );

  it('publishes a partition at once whose job waits for a quiet input: nothing that lands would tell of that', async () => {
    changeJob({ completeness: { kind: 'quiet', minutes: 60 } });
    await scene.run(ALL, scoringRun, input);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
  });

  it('shows readers nothing of a partition that is written anew until its marker is back', async () => {
    changeJob({ completeness: { kind: 'marker' } });
    scene.put('dt=2024-03-09/_SUCCESS', Buffer.alloc(0));
    scene.land('dt=2024-03-09', 60, 'b.parquet');
    await scene.run(ALL, scoringRun, input);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
    scene.remove('dt=2024-03-09/_SUCCESS');
    scene.remove('dt=2024-03-09/b.parquet');
    await noticeArrival(place(), { waitSeconds: 90, start });
    await scene.run(ALL, scoringRun, { arrival: { ...input.arrival, round: 2 } });
    expect(await scene.published()).toEqual([['dt=2024-03-09', 100]]);
  });

  it('ends its round though the partition is not published', async () => {
    scene.broken.add('dt=2024-03-09');
    await expect(scene.run(ALL, scoringRun, input)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect(await stateOf()).toMatchObject({ round: 1, isRunning: false });
  });

  it('that was cut off, and whose round has been ended for it, publishes when it is redriven and begins no round', async () => {
    const { model } = currentJob();
    changeJob({ model: `s3://${scene.bucket}/nowhere` });
    const failure = (await scene.run(ALL, scoringRun, input).catch((error: unknown) => error)) as RunFailed;
    expect(failure).toMatchObject({ state: 'Choose' });
    // As the event of its end does.
    await finishArrival(place(), 1, { waitSeconds: 90, start });
    changeJob({ model });
    await scene.run(ALL, redriven(scoringRun, failure), failure.input);
    expect(await scene.published()).toEqual([['dt=2024-03-09', 40]]);
    expect(await stateOf()).toMatchObject({ round: 1, isRunning: false });
    expect(started).toHaveLength(1);
  });

  it('scores with the model that is published while it runs', async () => {
    const { bundleUri } = await trainTinyModel(join(scene.folder, 'other'), {
      config: { modelVersion: 'tiny-2', training: { seed: 9 } },
    });
    await putFolder(bundleUri, `s3://${scene.bucket}/other`);
    await runStateMachine(scoringRun, input, scene.services);
    scene.land('dt=2024-03-09', 60, 'b.parquet');
    let hasOvertaken = false;
    scene.beforeScoring = async () => {
      if (hasOvertaken) return;
      hasOvertaken = true;
      await scene.run(ALL, scoringRun, { partitions: ALL, modelUri: `s3://${scene.bucket}/other` });
    };
    await noticeArrival(place(), { waitSeconds: 90, start });
    await scene.run(ALL, scoringRun, { arrival: { ...input.arrival, round: 2 } });
    const [status] = await publicationStatus(currentJob().scores);
    expect(status!.current).toMatchObject({ model: { version: 'tiny-2' }, rows: 100 });
  }, 120_000);

  it('that publishes the former model while a night scores with a new one leaves the night failed', async () => {
    const { bundleUri } = await trainTinyModel(join(scene.folder, 'promoted'), {
      config: { modelVersion: 'tiny-3', training: { seed: 11 } },
    });
    await putFolder(bundleUri, `s3://${scene.bucket}/promoted`);
    let hasOvertaken = false;
    scene.beforeScoring = async () => {
      if (hasOvertaken) return;
      hasOvertaken = true;
      await runStateMachine(scoringRun, input, scene.services);
    };
    const night = { partitions: { kind: 'newest' }, modelUri: `s3://${scene.bucket}/promoted` };
    await expect(scene.run(ALL, scoringRun, night)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect(await scene.failures()).toEqual([
      ['PartitionSuperseded', 'dt=2024-03-09: tiny-1 was published after this run was planned'],
    ]);
    // A new one knows of it.
    await scene.run(ALL, scoringRun, night);
    const [status] = await publicationStatus(currentJob().scores);
    expect(status!.current.model.version).toBe('tiny-3');
  }, 120_000);
});
