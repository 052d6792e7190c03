import { utimesSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { choose, inputOf, NOON, newest, shardsIn } from './chosenPartitions.ts';

describe('newest', () => {
  test.each<[string, readonly string[], object, readonly string[]]>([
    [
      'passes over names that say no day, and days to come',
      shardsIn('dt=2024-03-04', 'dt=__HIVE_DEFAULT_PARTITION__', 'dt=test', 'dt=9999-12-31', 'other'),
      {},
      ['dt=2024-03-04'],
    ],
    [
      'goes by the month and not by its first digit',
      shardsIn('year=2023/month=9/day=30', 'year=2023/month=10/day=1'),
      { partitions: 'year=/month=/day=' },
      ['year=2023/month=10/day=1'],
    ],
    [
      'takes every hour of the day, in their order',
      shardsIn(...[9, 10, 11, 2].map((hour) => `dt=2024-03-06/hour=${hour}`), 'dt=2024-03-05/hour=23'),
      { partitions: 'dt=/hour=' },
      [2, 9, 10, 11].map((hour) => `dt=2024-03-06/hour=${hour}`),
    ],
    [
      'goes by the day across regions',
      shardsIn('region=eu/dt=2024-03-06', 'region=us/dt=2024-03-02'),
      { partitions: 'region=/dt=' },
      ['region=eu/dt=2024-03-06'],
    ],
    [
      'takes the day of every region that has it',
      shardsIn('region=us/dt=2024-03-06', 'region=eu/dt=2024-03-06', 'region=eu/dt=2024-03-05'),
      { partitions: 'region=/dt=' },
      ['region=eu/dt=2024-03-06', 'region=us/dt=2024-03-06'],
    ],
    [
      'takes all 24 hours of a compact date',
      shardsIn(
        ...Array.from({ length: 24 }, (_, hour) => `date=20240304/hour=${String(hour).padStart(2, '0')}`),
      ),
      { partitions: 'date=%Y%m%d/hour=%H' },
      Array.from({ length: 24 }, (_, hour) => `date=20240304/hour=${String(hour).padStart(2, '0')}`),
    ],
    [
      'passes over a day without its marker, whatever has landed of it',
      [
        ...shardsIn('dt=2024-03-04', 'dt=2024-03-05'),
        'dt=2024-03-04/_SUCCESS',
        'dt=2024-03-05/_temporary/0/task_1/part-1.parquet',
      ],
      { completeness: { kind: 'marker' } },
      ['dt=2024-03-04'],
    ],
    [
      'passes over a day that one region has not finished',
      [
        ...shardsIn('region=eu/dt=2024-03-05', 'region=us/dt=2024-03-05', 'region=us/dt=2024-03-04'),
        'region=eu/dt=2024-03-05/_SUCCESS',
        'region=us/dt=2024-03-04/_SUCCESS',
      ],
      { partitions: 'region=/dt=', completeness: { kind: 'marker' } },
      ['region=us/dt=2024-03-04'],
    ],
    [
      'passes over a day with too few shards, whatever else lies there',
      [
        ...['a.pq', 'b.pq', 'notes.txt'].map((file) => `dt=2024-03-05/${file}`),
        ...['a.pq', 'b.pq', 'c.pq'].map((file) => `dt=2024-03-04/${file}`),
      ],
      { completeness: { kind: 'shards', count: 3 } },
      ['dt=2024-03-04'],
    ],
    [
      'counts no shard that the job passes over by its name',
      [
        ...['part-0.pq', 'part-1.pq', 'totals.pq'].map((file) => `dt=2024-03-05/${file}`),
        ...['part-0.pq', 'part-1.pq', 'part-2.pq'].map((file) => `dt=2024-03-04/${file}`),
      ],
      { completeness: { kind: 'shards', count: 3 }, shardPattern: 'part-*' },
      ['dt=2024-03-04'],
    ],
    [
      'passes over today, one shard of which has landed',
      shardsIn('dt=2024-03-07', 'dt=2024-03-06'),
      {},
      ['dt=2024-03-06'],
    ],
    [
      'takes today when its marker says that it is complete',
      [...shardsIn('dt=2024-03-07', 'dt=2024-03-06'), 'dt=2024-03-07/_SUCCESS'],
      { completeness: { kind: 'marker' } },
      ['dt=2024-03-07'],
    ],
    [
      'passes over the hours of today, each complete in itself',
      [
        ...shardsIn('dt=2024-03-07/hour=1', 'dt=2024-03-06/hour=1'),
        'dt=2024-03-07/hour=1/_SUCCESS',
        'dt=2024-03-06/hour=1/_SUCCESS',
      ],
      { partitions: 'dt=/hour=', completeness: { kind: 'marker' } },
      ['dt=2024-03-06/hour=1'],
    ],
    [
      'takes days to come when the job allows them',
      shardsIn('dt=2024-03-09', 'dt=2024-03-06'),
      { newest: { allowFuture: true } },
      ['dt=2024-03-09'],
    ],
  ])('%s', async (_, files, job, expected) => {
    expect((await newest(files, job)).chosen).toEqual(expected);
  });

  it("goes by the job's clock: a day is over in Tokyo before it is over in UTC", async () => {
    const files = shardsIn('dt=2024-03-07', 'dt=2024-03-06');
    const evening = Date.parse('2024-03-07T15:30:00Z');
    expect((await newest(files, { timeZone: 'Asia/Tokyo' }, evening)).chosen).toEqual(['dt=2024-03-07']);
    expect((await newest(files, { timeZone: 'UTC' }, evening)).chosen).toEqual(['dt=2024-03-06']);
  });

  it('waits until nothing has landed for the quiet time, and no longer', async () => {
    const input = inputOf(...shardsIn('dt=2024-03-06', 'dt=2024-03-05'));
    const landed = (partition: string, minutesAgo: number) =>
      utimesSync(join(input, partition, 'part-0.parquet'), NOON / 1000, NOON / 1000 - 60 * minutesAgo);
    landed('dt=2024-03-05', 600);
    landed('dt=2024-03-06', 29);
    const job = { completeness: { kind: 'quiet', minutes: 30 } };
    const early = await choose(input, job, { kind: 'newest' });
    expect(early.chosen).toEqual(['dt=2024-03-05']);
    expect(early.skipped).toEqual([{ name: 'dt=2024-03-06', reason: 'quiet for 29 of 30 minutes' }]);
    landed('dt=2024-03-06', 30);
    expect((await choose(input, job, { kind: 'newest' })).chosen).toEqual(['dt=2024-03-06']);
  });

  it('says of everything that it passed over why', async () => {
    const { skipped } = await newest(
      [...shardsIn('dt=2024-03-04', 'dt=test', 'dt=9999-12-31', 'dt=2024-03-07', 'old'), '_temporary/x'],
      {},
    );
    expect(skipped).toEqual([
      { name: '_temporary', reason: 'hidden' },
      { name: 'dt=test', reason: "'test' is not of the form %Y-%m-%d" },
      { name: 'old', reason: 'not named dt=...' },
      { name: 'dt=9999-12-31', reason: 'in the future: it is 2024-03-07 in UTC' },
      { name: 'dt=2024-03-07', reason: 'not over yet: it is 2024-03-07 in UTC' },
    ]);
  });

  it('looks back no further than the job says, and tells what it found instead', async () => {
    const files = shardsIn('dt=2024-03-03', 'dt=test');
    expect((await newest(files, { newest: { lookBackDays: 4 } })).chosen).toEqual(['dt=2024-03-03']);
    await expect(newest(files, { newest: { lookBackDays: 3 } })).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      expected: 'a complete day of the layout dt=%Y-%m-%d since 2024-03-04',
      found: "dt=test ('test' is not of the form %Y-%m-%d)",
    });
  });

  it('needs a layout that names a day', async () => {
    await expect(newest(shardsIn('region=eu'), { partitions: 'region=' })).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      found: 'the layout region=',
    });
  });
});
