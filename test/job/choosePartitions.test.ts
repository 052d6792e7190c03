import { symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { choosePartitions, partitionOf } from '../../lib/job/choosePartitions.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { listInput } from '../../lib/job/jobInput.ts';
import { dayRange } from '../../lib/job/listPartitions.ts';
import { parsePartitionLayout } from '../../lib/job/partitionLayout.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { choose, folder, inputOf, NOON, newest, shardsIn } from './chosenPartitions.ts';

const s3 = testEndpoint({ pageSize: 3 });

describe('the layout none', () => {
  const job = { partitions: 'none' };
  const files = ['a.parquet', 'deep/er/b.parquet', 'dt=2024-03-04/c.parquet'];

  it('makes the whole input one partition, whatever its folders are called', async () => {
    const input = inputOf(...files);
    const all = { chosen: ['all'], skipped: [], missingDays: [] };
    expect(await choose(input, job, { kind: 'newest' })).toEqual(all);
    expect(await choose(input, job, { kind: 'one', partition: 'all' })).toEqual(all);
    const document = parseJob({ input, scores: 's', model: 'm', ...job });
    const { partitions } = await choosePartitions(document, { kind: 'newest' }, NOON);
    const { shards } = await listInput(partitions[0]!);
    expect(shards.map(({ relativePath }) => relativePath)).toEqual(files);
    expect(partitionOf(input, document.layout, join(input, 'deep/er/b.parquet'))).toEqual({
      partition: 'all',
    });
  });

  it('takes a list of files as one partition, too', async () => {
    const input = inputOf(...files.slice(0, 1));
    const list = join(folder, 'whole.txt');
    writeFileSync(list, `${join(input, 'a.parquet')}\n`);
    const document = parseJob({ input: list, scores: 's', model: 'm', ...job });
    const { partitions } = await choosePartitions(document, { kind: 'newest' }, NOON);
    expect(partitions).toMatchObject([{ partition: 'all', inputUri: input }]);
    expect((await listInput(partitions[0]!)).shards.map(({ uri }) => uri)).toEqual([
      join(input, 'a.parquet'),
    ]);
  });

  it('waits for a marker, has no days and no other partition', async () => {
    const input = inputOf(...files);
    const marked = { ...job, completeness: { kind: 'marker' } };
    await expect(choose(input, marked, { kind: 'newest' })).rejects.toThrow('found no _SUCCESS');
    writeFileSync(join(input, '_SUCCESS'), '');
    expect((await choose(input, marked, { kind: 'newest' })).chosen).toEqual(['all']);
    await expect(choose(input, job, { kind: 'dates', from: '2024-03-01', to: '2024-03-09' })).rejects.toThrow(
      /PLAN_NO_PARTITION.*a layout whose keys name a day/,
    );
    await expect(choose(input, job, { kind: 'one', partition: 'dt=2024-03-04' })).rejects.toThrow(
      'PLAN_NO_PARTITION',
    );
  });

  it('refuses a file, whose folder and name a job can give', async () => {
    const file = join(inputOf('a.parquet'), 'a.parquet');
    await expect(choose(file, job, { kind: 'newest' })).rejects.toThrow(
      /PLAN_NO_PARTITION.*the file as the shardPattern/,
    );
  });

  it('refuses scores that would be input', () => {
    const scored = (scores: string) => () => parseJob({ input: 's3://b/in', scores, model: 'm', ...job });
    expect(scored('s3://b/in/scores')).toThrow(/scores: .*outside of the input/);
    expect(scored('s3://b/in')).toThrow('JOB_INVALID');
    expect(scored('s3://b/input')).not.toThrow();
    const onDisk = (input: string, scores: string) => () => parseJob({ input, scores, model: 'm', ...job });
    for (const input of ['.', './', './nights', 'nights/', resolve('nights'), pathToFileURL('nights').href]) {
      expect(onDisk(input, 'nights/scores'), input).toThrow(/scores: .*outside of the input/);
      expect(onDisk(input, '../scores'), input).not.toThrow();
    }
    expect(onDisk('/', '/scores')).toThrow('JOB_INVALID');
    const only = (shardPattern: string) => () =>
      parseJob({ input: 's3://b/in', scores: 's3://b/in/scores', model: 'm', ...job, shardPattern });
    expect(only('part-*')).not.toThrow();
    expect(only('**.parquet')).toThrow('JOB_INVALID');
  });
});

describe('a partition that is not there', () => {
  test.each([
    ['dt=2024-03-5', ['dt=2024-03-05'], { partitions: 'dt=' }, undefined],
    [
      'year=2024/month=3/day=05',
      ['year=2024/month=03/day=5'],
      { partitions: 'year=/month=/day=' },
      'year=2024/month=03/day=5',
    ],
    ['region=su', ['region=us', 'region=elsewhere'], { partitions: 'region=*' }, 'region=us'],
    ['dt=2024-03-05', ['dt=2024-03-06'], { partitions: 'dt=' }, undefined],
  ])('%s beside %s', async (partition, there, job, meant) => {
    const error = await choose(inputOf(...shardsIn(...there)), job, { kind: 'one', partition }).catch(
      (e) => e,
    );
    expect(error.code).toBe('PLAN_NO_PARTITION');
    if (meant === undefined) expect(error.message).not.toContain('did you mean');
    else expect(error.message).toContain(`did you mean ${meant}?`);
  });
});

describe('an input that is not there', () => {
  it.each([
    { kind: 'newest' },
    { kind: 'one', partition: 'dt=2024-03-05' },
    { kind: 'dates', from: '2024-03-01', to: '2024-03-05' },
  ] as const)(
    'is told as that, and where relative paths start, and not as a missing partition: $kind',
    async (choice) => {
      const error = {
        code: 'PLAN_NO_PARTITION',
        found: expect.stringMatching(/^no such input; relative paths/),
      };
      const gone = join(inputOf(...shardsIn('dt=2024-03-05')), 'gone');
      await expect(choose(gone, {}, choice)).rejects.toMatchObject(error);
      await expect(choose(gone, { partitions: 'none' }, { kind: 'newest' })).rejects.toMatchObject(error);
    },
  );
});

describe('a range of days', () => {
  it('takes the days in it, names those without a partition, and is not stopped by what lies beside it', async () => {
    const files = shardsIn(
      'dt=2024-02-28',
      'dt=2024-03-02',
      'dt=2024-03-05',
      'dt=__HIVE_DEFAULT_PARTITION__',
    );
    const range = { kind: 'dates', from: '2024-02-28', to: '2024-03-04' } as const;
    const { chosen, skipped, missingDays } = await choose(inputOf(...files), {}, range);
    expect(chosen).toEqual(['dt=2024-02-28', 'dt=2024-03-02']);
    expect(missingDays).toEqual(['2024-02-29', '2024-03-01']);
    expect(skipped.map(({ name }) => name)).toEqual(['dt=__HIVE_DEFAULT_PARTITION__']);
  });

  it('tells of a year without a partition day by day, and of no longer time, as around what has no date', async () => {
    const files = shardsIn(
      'dt=0001-01-01',
      'dt=1970-01-01',
      'dt=2023-03-04',
      'dt=2024-03-05',
      'dt=9999-12-31',
    );
    const range = { kind: 'dates', from: '0000-01-01', to: '9999-12-31' } as const;
    const { chosen, missingDays } = await choose(inputOf(...files), {}, range);
    expect(chosen).toHaveLength(5);
    expect(missingDays).toHaveLength(366);
    expect([missingDays[0], missingDays.at(-1)]).toEqual(['2023-03-05', '2024-03-04']);
    const further = inputOf(...shardsIn('dt=2023-03-03', 'dt=2024-03-05', 'dt=2024-03-07'));
    expect((await choose(further, {}, range)).missingDays).toEqual(['2024-03-06']);
  });

  it('is found below other keys and in compact dates', async () => {
    const files = shardsIn('region=eu/date=20240303', 'region=us/date=20240304', 'region=us/date=20240305');
    const job = { partitions: 'region=/date=%Y%m%d' };
    const range = { kind: 'dates', from: '2024-03-03', to: '2024-03-04' } as const;
    expect((await choose(inputOf(...files), job, range)).chosen).toEqual([
      'region=eu/date=20240303',
      'region=us/date=20240304',
    ]);
  });

  it('that is empty is refused with what was there', async () => {
    const range = { kind: 'dates', from: '2024-04-01', to: '2024-04-02' } as const;
    await expect(choose(inputOf(...shardsIn('dt=2024-03-04', 'dt=x')), {}, range)).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      expected: 'days from 2024-04-01 to 2024-04-02',
      found: "dt=x ('x' is not of the form %Y-%m-%d)",
    });
  });

  it('that has no days says which it was asked for: open ends as such, ends in the wrong order as those', async () => {
    const asked = [
      [dayRange('2024-04-01'), 'days from 2024-04-01 on', 'none in that range'],
      [dayRange(undefined, '2024-02-01'), 'days up to 2024-02-01', 'none in that range'],
      [
        dayRange('2024-03-05', '2024-03-03'),
        'days from 2024-03-05 to 2024-03-03, the later one last',
        'a range that ends before it begins',
      ],
    ] as const;
    for (const [range, expected, found] of asked) {
      await expect(
        choose(inputOf(...shardsIn('dt=2024-03-04')), {}, { kind: 'dates', ...range }),
      ).rejects.toMatchObject({ code: 'PLAN_NO_PARTITION', expected, found });
    }
  });
});

describe('listing', () => {
  it('costs a request per page of folders of a level, none in partitions and none in years outside of the range', async () => {
    const days = ['year=2023/month=1/day=1', 'year=2023/month=2/day=1', 'year=2024/month=3/day=4'];
    const files = days.flatMap((day) =>
      Array.from({ length: 9 }, (_, index) => `${day}/part-${index}.parquet`),
    );
    const uri = `s3://${s3.bucket}/pruned`;
    await putFolder(inputOf(...files), uri);
    const before = s3.double!.requests.length;
    const range = { kind: 'dates', from: '2024-03-01', to: '2024-03-31' } as const;
    const { chosen } = await choose(uri, { partitions: 'year=/month=/day=' }, range);
    expect(chosen).toEqual(['year=2024/month=3/day=4']);
    const lists = s3.double!.requests.slice(before).map(({ query }) => query.get('prefix'));
    expect(lists).toEqual(['pruned/', 'pruned/year=2024/', 'pruned/year=2024/month=3/']);
  });

  test.each([
    ['a Delta table', '_delta_log/00000000000000000000.json'],
    ['a Hudi table', '.hoodie/hoodie.properties'],
    ['an Iceberg table', 'metadata/v1.metadata.json'],
  ])('refuses %s', async (kind, file) => {
    const input = inputOf(...shardsIn('dt=2024-03-04'), file);
    await expect(choose(input, {}, { kind: 'one', partition: 'dt=2024-03-04' })).rejects.toMatchObject({
      code: 'INPUT_IS_TABLE',
    });
    await expect(choose(input, {}, { kind: 'newest' })).rejects.toMatchObject({
      code: 'INPUT_IS_TABLE',
      found: expect.stringContaining(kind),
    });
  });

  it('takes a folder called metadata that is no table for what it is', async () => {
    const { chosen, skipped } = await newest([...shardsIn('dt=2024-03-04'), 'metadata/readme.txt']);
    expect(chosen).toEqual(['dt=2024-03-04']);
    expect(skipped).toEqual([{ name: 'metadata', reason: 'not named dt=...' }]);
  });

  it('tells of a partition whose folder is a link that leads nowhere, or a file', async () => {
    const input = inputOf(...shardsIn('dt=2024-03-04'), 'dt=2024-03-06', 'dt=test', 'dt=2023-01-01');
    symlinkSync('nowhere', join(input, 'dt=2024-03-05'));
    const range = { kind: 'dates', from: '2024-03-01', to: '2024-03-07' } as const;
    const { chosen, skipped } = await choose(input, {}, range);
    expect(chosen).toEqual(['dt=2024-03-04']);
    const reason = expect.stringMatching(/^no folder, .*a link that leads nowhere/);
    expect(skipped).toEqual(['dt=2024-03-05', 'dt=2024-03-06'].map((name) => ({ name, reason })));
    expect((await choose(input, {}, { kind: 'newest' })).skipped.map(({ name }) => name)).toContain(
      'dt=2024-03-05',
    );
  });

  it('tells of shards that lie above the partitions, where a writer has left out a key, and of no other file there', async () => {
    const files = [
      'dt=2024-03-04/hour=07/a.parquet',
      'dt=2024-03-04/b.parquet',
      'c.PARQUET.gz',
      'notes.txt',
      '.d.parquet',
    ];
    const { chosen, skipped } = await choose(
      inputOf(...files),
      { partitions: 'dt=%Y-%m-%d/hour=%H' },
      { kind: 'dates', from: '2024-03-04', to: '2024-03-04' },
    );
    expect(chosen).toEqual(['dt=2024-03-04/hour=07']);
    const reason = 'it lies in no folder of the layout dt=%Y-%m-%d/hour=%H';
    expect(skipped).toEqual(['c.PARQUET.gz', 'dt=2024-03-04/b.parquet'].map((name) => ({ name, reason })));
  });
});

describe('one partition', () => {
  it('is taken by its name, complete or not', async () => {
    const input = inputOf(...shardsIn('dt=2024-03-07'));
    const choice = { kind: 'one', partition: 'dt=2024-03-07' } as const;
    expect((await choose(input, { completeness: { kind: 'marker' } }, choice)).chosen).toEqual([
      'dt=2024-03-07',
    ]);
  });

  test.each([
    ['dt=2024-03-08', 'no such folder'],
    ['dt=2024-03-07/hour=1', 'dt=2024-03-07/hour=1: 2 folders, where the layout has 1'],
    ['../dt=2024-03-07', '../dt=2024-03-07: 2 folders, where the layout has 1'],
    ['dt=tomorrow', "dt=tomorrow: 'tomorrow' is not of the form %Y-%m-%d"],
  ])('%s is refused: %s', async (partition, found) => {
    const choice = { kind: 'one', partition } as const;
    await expect(choose(inputOf(...shardsIn('dt=2024-03-07')), {}, choice)).rejects.toMatchObject({
      code: 'PLAN_NO_PARTITION',
      found,
    });
  });
});

describe('the partition of an object', () => {
  const layout = parsePartitionLayout('dt=/hour=');
  test.each([
    ['dt=2024-03-04/hour=7/a.parquet', { partition: 'dt=2024-03-04/hour=7' }],
    ['dt=2024-03-04/hour=7/deeper/a', { partition: 'dt=2024-03-04/hour=7' }],
    ['dt=2024-03-04/a.parquet', { reason: '1 folders, where the layout has 2' }],
    ['dt=x/hour=7/a.parquet', { reason: "'x' is not of the form %Y-%m-%d" }],
  ])('%s', (path, expected) => {
    expect(partitionOf('s3://b/in/', layout, joinUri('s3://b/in', path))).toEqual(expected);
  });

  it('outside of the input root is none', () => {
    expect(partitionOf('s3://b/in', layout, 's3://b/input/dt=2024-03-04/hour=7/a')).toEqual({
      reason: 'outside of s3://b/in',
    });
  });
});
