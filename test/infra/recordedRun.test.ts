import { beforeEach, describe, expect, it, vi } from 'vitest';
import { recordRun } from '../../functions/recordRun.ts';
import { readSettings } from '../../functions/settings.ts';
import { metrics } from '../../functions/telemetry.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { partitionStates } from '../../lib/publish/partitionState.ts';
import { listIfAny, storageFor, writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri, parseS3Uri } from '../../lib/storage/uri.ts';
import { currentJob } from '../support/functions/jobVariable.ts';
import { scoringRun } from '../support/stepFunctions/scoringRun.ts';
import { ALL, scoringRunScene } from './scoringRunScene.ts';

const scene = scoringRunScene();
const [PLANNED_BADLY, INCOMPLETE, REFUSED, GOOD] = ['05', '06', '07', '08'].map(
  (day) => `dt=2024-03-${day}`,
) as [string, string, string, string];

/** What the alarm for it watches. */
const added = vi.spyOn(metrics, 'addMetric');
const leftIncomplete = () =>
  added.mock.calls.filter(([name]) => name === 'leftIncomplete').map(([, , value]) => value);
beforeEach(() => {
  added.mockClear();
});

const range = { from: '2024-03-01', to: '2024-03-31' };
const states = async () => (await partitionStates(parseJob(currentJob()), range, Date.now())).states;
const recordUris = async () =>
  (await listIfAny(joinUri(currentJob().scores, 'run-records'))).map(({ uri }) => uri);
const readRecord = async (uri: string) =>
  JSON.parse(Buffer.from(await storageFor(uri).readWhole(uri)).toString());

describe('the record of a run by the state machine', () => {
  it('tells status which partitions were refused, are incomplete or have failed, until a run of them ends well', async () => {
    for (const partition of [PLANNED_BADLY, INCOMPLETE, REFUSED, GOOD]) scene.land(partition, 40);
    scene.land(`${PLANNED_BADLY}/hour=01`, 40);
    scene.broken.add(INCOMPLETE);
    scene.put(`${REFUSED}/b.parquet`, Buffer.from('PAR1 and nothing more'));
    await expect(scene.run(ALL)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    const found = await states();
    expect(found.map(({ lastFailure }) => lastFailure)).toEqual([
      {
        outcome: 'failed',
        endedAt: expect.any(String),
        problems: [expect.stringContaining('PLAN_NESTED_PARTITION')],
      },
      {
        outcome: 'incomplete',
        endedAt: expect.any(String),
        problems: [expect.stringContaining(`parts of ${INCOMPLETE} are missing`)],
      },
      {
        outcome: 'refused',
        endedAt: expect.any(String),
        problems: [expect.stringMatching(/b\.parquet, rows unknown/)],
      },
      undefined,
    ]);
    expect(leftIncomplete()).toEqual([1]);
    const [uri] = await recordUris();
    const record = await readRecord(uri!);
    expect(record).toMatchObject({
      execution: expect.stringMatching(/^run-\d+$/),
      jobDigest: expect.any(String),
    });
    for (const { startSeconds, seconds } of record.partitions) {
      expect(startSeconds + seconds).toBeLessThanOrEqual(record.seconds);
    }
    scene.broken.clear();
    scene.land(REFUSED, 40, 'b.parquet');
    await expect(scene.run(ALL)).rejects.toMatchObject({ name: 'PartitionsNotPublished' });
    expect((await states()).map(({ lastFailure }) => lastFailure?.outcome)).toEqual([
      'failed',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is one, however often it is written, and tells of the last attempt where a redrive's file stands beside an older one", async () => {
    scene.land(GOOD, 40);
    await scene.run(ALL);
    const [uri] = await recordUris();
    const { execution, startedAt, partitions } = await readRecord(uri!);
    expect(partitions).toMatchObject([{ partition: GOOD, outcome: 'published', problems: [] }]);
    const ofRun = await listIfAny(joinUri(currentJob().scores, 'runs', execution));
    const written = ofRun.map((file) => file.uri).filter((each) => each.endsWith('/SUCCEEDED_0.json'));
    const results = (await Promise.all(written.map(readRecord))).flat();
    const result = results.find(({ Input }) => JSON.parse(Input).item !== undefined);
    const folder = joinUri(currentJob().scores, 'runs', execution, 'redriven');
    const failed = { ...result, Status: 'FAILED', Error: 'Lambda.Unknown' };
    for (const [name, entry] of Object.entries({ FAILED_0: failed, SUCCEEDED_0: result })) {
      await writeWhole(`${folder}/${name}.json`, Buffer.from(JSON.stringify([entry])));
    }
    const { bucket: Bucket, key } = parseS3Uri(folder);
    const step = { step: 'recordRun' as const, startedAt, results: { Bucket, Key: `${key}/manifest.json` } };
    const { scores } = readSettings().JOB;
    await recordRun({ ...step, run: execution }, scores);
    expect(await recordUris()).toEqual([uri]);
    await recordRun({ ...step, run: 'another' }, scores);
    const other = (await recordUris()).find((each) => each !== uri)!;
    expect((await readRecord(other)).partitions).toMatchObject([{ partition: GOOD, outcome: 'published' }]);
  });

  it('counts no partition as left incomplete that the next round of arrivals goes on with', async () => {
    scene.land(GOOD, 40);
    await scene.run(ALL);
    const { scores } = currentJob();
    const written = (await listIfAny(joinUri(scores, 'runs'))).filter(({ uri }) =>
      uri.endsWith('/SUCCEEDED_0.json'),
    );
    const results = (await Promise.all(written.map(({ uri }) => readRecord(uri)))).flat();
    const result = results.find(({ Input }) => JSON.parse(Input).item !== undefined);
    const folder = joinUri(scores, 'runs', 'more-has-landed');
    const left = { ...result, Output: JSON.stringify({ kind: 'incomplete', problem: '1 part is missing' }) };
    await writeWhole(`${folder}/SUCCEEDED_0.json`, Buffer.from(JSON.stringify([left])));
    const { bucket: Bucket, key } = parseS3Uri(folder);
    const step = { step: 'recordRun' as const, run: 'next', startedAt: new Date().toISOString() };
    await recordRun({ ...step, results: { Bucket, Key: `${key}/manifest.json` } }, scores);
    const outcomes = (await Promise.all((await recordUris()).map(readRecord))).flatMap(
      ({ partitions }) => partitions,
    );
    expect(outcomes.map(({ outcome }) => outcome).sort()).toEqual(['incomplete', 'published']);
    expect(leftIncomplete()).toEqual([]);
  });

  it("that can't be written is no reason for a run to fail", async () => {
    scene.land(GOOD, 40);
    const { RecordRun, ...States } = scoringRun.States;
    const Parameters = {
      FunctionName: 'arn:aws:lambda:local:0:function:plan',
      Payload: { step: 'recordRun' },
    };
    const lost = { ...scoringRun, States: { ...States, RecordRun: { ...RecordRun!, Parameters } } };
    await scene.run(ALL, lost);
    expect(await recordUris()).toEqual([]);
    expect(await scene.published()).toEqual([[GOOD, 40]]);
  });
});
