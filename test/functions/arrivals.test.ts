import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { handler } from '../../functions/arrivals.ts';
import { logger } from '../../functions/telemetry.ts';
import { readArrivalState } from '../../lib/arrivals/arrivalState.ts';
import { startExecution } from '../../lib/stateMachine/startRun.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { changeJob, setJob } from '../support/functions/jobVariable.ts';

// Batches of the events queue, with arrivals' documents on disk and executions counted.
vi.mock('../../lib/stateMachine/startRun.ts');
const folder = temporaryFolder();
let root: string;
let logged: Record<'info' | 'error', unknown[][]>;

beforeEach(() => {
  root = mkdtempSync(join(folder, 'scores-'));
  setJob({ input: 's3://b/features', scores: root, model: 's3://b/model' });
  process.env.STATE_MACHINE_ARN = 'arn:aws:states:eu-central-1:123456789012:stateMachine:scoring';
  process.env.ARRIVAL_WAIT_SECONDS = '90';
  vi.mocked(startExecution).mockReset();
  vi.mocked(startExecution).mockResolvedValue({ executionArn: 'arn', startDate: new Date(0) });
  logged = { info: [], error: [] };
  for (const level of ['info', 'error'] as const) {
    vi.spyOn(logger, level).mockImplementation((...args) => {
      logged[level].push(args);
    });
  }
});

const notification = (...keys: string[]) =>
  JSON.stringify({ Records: keys.map((key) => ({ s3: { bucket: { name: 'b' }, object: { key } } })) });
const batch = (...bodies: string[]) =>
  ({ Records: bodies.map((body, index) => ({ messageId: `m${index}`, body })) }) as SQSEvent;
const failed = async (...bodies: string[]) =>
  (await handler(batch(...bodies))).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
const inputs = () => vi.mocked(startExecution).mock.calls.map(([, , , input]) => input);
const byText = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
const state = async (partition: string) => (await readArrivalState({ root, partition })).state;
const DAY = 'features/dt=2024-03-09';

describe('a batch', () => {
  it('is one notice for each partition, whatever the names of its shards end with', async () => {
    const names = ['a.parquet', 'b.parq', 'c.pq', 'D.PARQUET', '20240309_000_00001', 'sub/e.parquet'];
    const other = notification('features/dt=2024-03-10/a.parquet');
    expect(
      await failed(notification(...names.map((name) => `${DAY}/${name}`)), notification(`${DAY}/f`), other),
    ).toEqual([]);
    expect(inputs().sort(byText)).toEqual([
      { arrival: { partition: 'dt=2024-03-09', round: 1, waitSeconds: 90 } },
      { arrival: { partition: 'dt=2024-03-10', round: 1, waitSeconds: 90 } },
    ]);
    expect(await state('dt=2024-03-09')).toMatchObject({ isPending: false });
  });

  it('passes over what is hidden, temporary, a folder or elsewhere, counted by the reason', async () => {
    const body = notification(
      `${DAY}/_temporary/0/task_1/part-0.parquet`,
      `${DAY}/written/_temporary/0/part-0.parquet`,
      `${DAY}/_SUCCESS`,
      `${DAY}/.part-0.parquet.crc`,
      `${DAY}/`,
      `${DAY}/written/`,
      'elsewhere/dt=2024-03-09/a.parquet',
      'features/a.parquet',
    );
    expect(await failed(body)).toEqual([]);
    expect(inputs()).toEqual([]);
    const passedOver = logged.info.filter(([message]) => message === 'objects were passed over');
    const reasons = passedOver.map(
      ([, keys]) => keys as { reason: string; count: number; objects: string[] },
    );
    expect(reasons).toMatchObject([
      {
        reason: 'hidden or temporary',
        count: 4,
        objects: expect.arrayContaining([`s3://b/${DAY}/_SUCCESS`]),
      },
      { reason: 'a folder', count: 2 },
      { reason: 'outside of s3://b/features', count: 1 },
      { count: 1, objects: ['s3://b/features/a.parquet'] },
    ]);
  });

  it('of an input without partitions is one of all that lies there, whatever its name begins with', async () => {
    changeJob({ partitions: 'none' });
    for (const name of ['data_1.parquet', 'part.0.parquet', 'a.pq', 'more/a.parquet']) {
      vi.mocked(startExecution).mockClear();
      await failed(notification(`features/${name}`));
      expect(inputs(), name).toMatchObject([{ arrival: { partition: 'all' } }]);
    }
    vi.mocked(startExecution).mockClear();
    await failed(notification('features/_temporary/a.parquet', 'features/_SUCCESS'));
    expect(inputs()).toEqual([]);
  });

  it('is the marker, too, that the job waits for, and nothing else that is hidden', async () => {
    changeJob({ completeness: { kind: 'marker', file: '_DONE' } });
    await failed(notification(`${DAY}/_SUCCESS`, `${DAY}/sub/_DONE`));
    expect(inputs()).toEqual([]);
    await failed(notification(`${DAY}/_DONE`));
    expect(inputs()).toMatchObject([{ arrival: { partition: 'dt=2024-03-09' } }]);
  });

  it("goes by the job's layout", async () => {
    changeJob({ partitions: 'region=/dt=' });
    await failed(notification('features/region=eu/dt=2024-03-09/a.parquet', `${DAY}/a.parquet`));
    expect(inputs()).toMatchObject([{ arrival: { partition: 'region=eu/dt=2024-03-09' } }]);
  });

  it('names the messages that nobody understands, each logged with its reason, and works through the others', async () => {
    const arrived = notification(`${DAY}/a.parquet`);
    expect(await failed('{"hello":"world"}', arrived, 'no JSON', '{"Event":"s3:TestEvent"}')).toEqual([
      'm0',
      'm2',
    ]);
    expect(inputs()).toHaveLength(1);
    const invalid = { error: expect.objectContaining({ code: 'EVENT_INVALID' }), retryable: false };
    expect(logged.error).toEqual([
      ['a message was not understood', { ...invalid, messageId: 'm0' }],
      ['a message was not understood', { ...invalid, messageId: 'm2' }],
    ]);
  });

  it('names every message of a partition whose run could not be started, and of no other one', async () => {
    vi.mocked(startExecution).mockImplementation(async (_, __, ___, input) => {
      const { partition } = (input as { arrival: { partition: string } }).arrival;
      if (partition === 'dt=2024-03-09') throw new Error('slow down');
      return { executionArn: 'arn', startDate: new Date(0) };
    });
    const other = 'features/dt=2024-03-10/a.parquet';
    expect(
      await failed(notification(`${DAY}/a`, other), notification(other), notification(`${DAY}/b`)),
    ).toEqual(['m0', 'm2']);
    vi.mocked(startExecution).mockResolvedValue({ executionArn: 'arn', startDate: new Date(0) });
    expect(await failed(notification(`${DAY}/a`))).toEqual([]);
    expect(inputs().at(-1)).toMatchObject({ arrival: { partition: 'dt=2024-03-09', round: 1 } });
  });

  it('finishes the round of a run that has failed, and of no other run', async () => {
    await failed(notification(`${DAY}/a`));
    await failed(notification(`${DAY}/b`));
    expect(await state('dt=2024-03-09')).toMatchObject({ round: 1, isPending: true });
    const ended = (input: object) =>
      JSON.stringify({
        source: 'aws.states',
        'detail-type': 'Step Functions Execution Status Change',
        detail: { status: 'ABORTED', input: JSON.stringify(input) },
      });
    expect(await failed(ended({ partitions: { kind: 'newest' } }), ended(inputs()[0]!))).toEqual([]);
    expect(await state('dt=2024-03-09')).toMatchObject({ round: 2, isPending: false });
    expect(inputs().at(-1)).toMatchObject({ arrival: { round: 2 } });
  });
});
