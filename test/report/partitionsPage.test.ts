import { describe, expect, it } from 'vitest';
import type { Judged } from '../../lib/gates/judged.ts';
import { SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import type { Pointer } from '../../lib/publish/pointer.ts';
import { dayOfPartition } from '../../lib/report/newestDay.ts';
import { partitionsPage } from '../../lib/report/partitionsPage.ts';
import { type ListedPartition, statesOfRoot } from '../../lib/report/readPartitions.ts';
import { sectionOf, tableOf, tablesOf, textOf } from './readPage.ts';

const NOW = Date.parse('2024-03-04T06:00:00Z');

function pointerOf(partition: string, rows: number, hold: string | null = null): Pointer {
  return {
    partition,
    generation: 2,
    current: { rows, model: { version: 'v7' } },
    history: [],
    hold,
  } as unknown as Pointer;
}

function listed(
  day: string,
  stage: ListedPartition['stage'],
  rows: number | null,
  key = '',
): ListedPartition {
  const partition = `${key}dt=${day}`;
  const counts = new Array<number>(SCORE_BINS).fill(0).with(50, rows ?? 0);
  const scores = { mean: 0.2, min: 0.1, max: 0.3, counts };
  const isVisible = rows !== null;
  return {
    ...{ partition, day, stage, reason: stage === 'late' ? 'new or changed: <b>.parquet' : undefined },
    pointer: isVisible ? pointerOf(partition, rows) : null,
    flippedMillis: isVisible ? NOW - 3_600_000 : undefined,
    visible: isVisible
      ? ({ partition, rows, scores: { pctr: scores, pcvr: scores, pctcvr: scores } } as unknown as Judged)
      : undefined,
    ...{ verdicts: [], reference: undefined, lastFailure: undefined },
  };
}

const pageOf = (partitions: readonly ListedPartition[], missingDays: readonly string[] = []) =>
  partitionsPage({
    ...{ root: 's3://b/scores', partitions, missingDays, unreadable: [], nowMillis: NOW },
    linkOf: (partition) => (partition === 'dt=2024-02-28' ? 'reports/dt%3D2024-02-28.html' : undefined),
  });

describe('the newest published day', () => {
  const newest = (...names: string[]) => {
    const partitions = names.map((partition) => ({
      ...listed(dayOfPartition(partition)!, 'published', 1_000),
      partition,
    }));
    return /newest published day.*?(\d{4}-\d\d-\d\d)/s.exec(sectionOf(pageOf(partitions), 'At a glance'))![1];
  };

  it('is that of the region which is furthest behind, hours aside, and none of one that was given up', () => {
    expect(newest('region=eu/dt=2024-03-02', 'region=us/dt=2024-02-28')).toBe('2024-02-28');
    expect(newest('region=eu/dt=2024-03-02', 'region=us/dt=2024-02-20')).toBe('2024-03-02');
    expect(newest('dt=2024-03-02/hour=01', 'dt=2024-03-01/hour=02')).toBe('2024-03-02');
  });

  it.each([
    ['date=20240301', 'date=20240302'],
    ['year=2024/month=3/day=1', 'year=2024/month=3/day=2'],
    ['dt=2024-03-01/hr=7', 'dt=2024-03-02/hr=3'],
    ['h=2024030123', 'h=2024030200'],
    ['region=eu/date=20240301', 'region=eu/date=20240302'],
  ])('takes no folder of a day or hour for a region: %s, %s', (...names) => {
    expect(newest(...names)).toBe('2024-03-02');
    expect(names.map(dayOfPartition)).toEqual(['2024-03-01', '2024-03-02']);
  });
});

it('a day that no calendar has is none: it hides neither the newest day nor a month', () => {
  const names = ['export-2024-02-30', 'v2024-13-01', 'copy-2024-99-99-of-2024-02-29'];
  expect(names.map(dayOfPartition)).toEqual([undefined, undefined, '2024-02-29']);
  const partitions = names.map((partition) => ({
    ...listed('2024-02-28', 'published', 1_000),
    ...{ partition, day: dayOfPartition(partition) },
  }));
  const page = pageOf(partitions);
  expect(textOf(sectionOf(page, 'At a glance'))).toContain('newest published day 2024-02-29');
  expect([...page.matchAll(/<caption>(\d{4}-\d\d)<\/caption>/g)].map(([, month]) => month)).toEqual([
    '2024-02',
  ]);
});

it('without a job nothing is counted of what only its input tells', () => {
  const glance = (missingDays: readonly string[] | undefined) => {
    const page = { root: 's3://b/scores', partitions: [], unreadable: [], nowMillis: NOW, missingDays };
    return textOf(sectionOf(partitionsPage({ ...page, linkOf: () => undefined }), 'At a glance'));
  };
  expect(glance([])).toMatch(/late 0 .*not published yet 0 .*days without a partition 0/);
  expect(glance(undefined)).not.toMatch(/late|not published yet|without a partition/);
  expect(glance(undefined)).toMatch(/published 0 .*blocked by a gate 0 .*held 0/);
});

describe('the page of all partitions', () => {
  const page = pageOf(
    [
      listed('2024-02-28', 'published', 1_000),
      listed('2024-02-29', 'late', 1_234_567),
      listed('2024-03-02', 'blocked', null),
      listed('2024-03-03', 'landing', null),
    ],
    ['2024-03-01'],
  );

  it('has a calendar of the months in question, Mondays first, each day with its state and rows', () => {
    const months = tablesOf(sectionOf(page, 'Calendar'));
    expect(months).toHaveLength(2);
    const [february, march] = months as [string[][], string[][]];
    expect(february.every((week) => week.length === 7)).toBe(true);
    // 1 February 2024 was a Thursday, 1 March a Friday.
    expect(february[0]!.slice(0, 4)).toEqual(['', '', '', '1']);
    expect(february.flat().filter((cell) => cell !== '')).toHaveLength(29);
    expect(february.flat()).toContainEqual(expect.stringMatching(/^28 . published 1K$/));
    expect(february.flat()).toContainEqual(expect.stringMatching(/^29 . late 1\.2M$/));
    expect(march[0]!.slice(4)).toEqual([
      '1 missing',
      expect.stringMatching(/^2 . blocked$/),
      expect.stringMatching(/^3 . landing$/),
    ]);
  });

  it('links a day and a partition to its report where there is one, and nothing else', () => {
    expect([...page.matchAll(/href="(reports[^"]*)"/g)].map(([, link]) => link)).toEqual([
      'reports/dt%3D2024-02-28.html',
      'reports/dt%3D2024-02-28.html',
    ]);
  });

  it('has a day with several partitions in the state that somebody has to look at first', () => {
    const several = pageOf([
      listed('2024-03-01', 'published', 10, 'region=eu/'),
      listed('2024-03-01', 'blocked', null, 'region=us/'),
    ]);
    expect(tablesOf(sectionOf(several, 'Calendar'))[0]!.flat()).toContainEqual(
      expect.stringMatching(/^1 . 1 of 2 blocked 10$/),
    );
  });

  it('names a day that several partitions share by each of them, and a chart of one partition has one name', () => {
    const labelsOf = (...partitions: ListedPartition[]) => {
      const section = sectionOf(pageOf(partitions), 'From day to day');
      return [...section.matchAll(/<text[^>]*>([^<]*2024-[^<]*)<\/text>/g)].map(([, label]) => label);
    };
    const alone = labelsOf(listed('2024-03-01', 'published', 10));
    expect(new Set(alone)).toEqual(new Set(['2024-03-01']));
    // Two charts, each drawn for a desk and for a phone.
    expect(alone).toHaveLength(4);
    const shared = labelsOf(
      listed('2024-03-01', 'published', 10, 'region=eu/'),
      listed('2024-03-01', 'published', 20, 'region=us/'),
    );
    expect(new Set(shared)).toEqual(new Set(['eu 2024-03-01', 'us 2024-03-01']));
  });

  it('counts states and says how fresh the newest published day is', () => {
    const text = textOf(sectionOf(page, 'At a glance'));
    expect(text).toContain('published 2 of 4 partitions');
    expect(text).toContain('blocked by a gate 1');
    expect(text).toContain('days without a partition 1');
    // It ended at 2024-03-01T00:00Z.
    expect(text).toContain('newest published day 2024-02-29 ended 3 days ago');
  });

  it('has every partition in a table, with why it is where it is, as text', () => {
    const rows = tableOf(
      sectionOf(page, 'Partitions'),
      'Every partition, by time; PSI is the largest of the three scores',
    );
    expect(rows.map(([partition, state]) => [partition, state])).toEqual([
      ['dt=2024-02-28', 'published'],
      ['dt=2024-02-29', 'late'],
      ['dt=2024-03-02', 'blocked'],
      ['dt=2024-03-03', 'landing'],
      ['2024-03-01', 'missing'],
    ]);
    expect(rows[1]!.slice(2)).toEqual([
      'v7',
      '1,234,567',
      '2',
      '2024-03-04 05:00:00 UTC',
      'nothing judged',
      '—',
      'new or changed: <b>.parquet',
    ]);
  });
});

it('states of a root are by time, whatever its folders are called and with or without leading zeros', () => {
  const inOrder = [
    ...[
      'year=2026/month=9/day=30/hour=7',
      'year=2026/month=9/day=30/hour=10',
      'year=2026/month=10/day=2/hour=7',
    ],
    ...['region=us/dt=2026-11-01', 'region=de/dt=2026-11-02'],
  ];
  const states = statesOfRoot(
    's3://b/scores',
    [...inOrder].sort().map((name) => pointerOf(name, 1)),
    [],
  );
  expect(states.map(({ partition }) => partition)).toEqual(inOrder);
});

it('states of a root are those of its pointers and blocks; a hold is told before a block', () => {
  const block = (partition: string) => ({ partition, problems: ['too few rows'] }) as never;
  const states = statesOfRoot(
    's3://b/scores',
    [pointerOf('dt=b', 1), pointerOf('dt=c', 1, 'wrong prices'), pointerOf('dt=d', 1)],
    [block('dt=a'), block('dt=c'), block('dt=d')],
  );
  expect(states.map(({ partition, stage, reason }) => [partition, stage, reason])).toEqual([
    ['dt=a', 'blocked', 'too few rows'],
    ['dt=b', 'published', undefined],
    ['dt=c', 'held', 'wrong prices'],
    ['dt=d', 'blocked', 'too few rows'],
  ]);
});

it('nothing below the root of shadow runs is called published: neither its states nor its page', () => {
  const root = 's3://b/scores/_shadow/v8';
  const [state] = statesOfRoot(root, [pointerOf('dt=2024-02-28', 1)], []);
  expect(state!.stage).toBe('shadowed');
  const partitions = [listed('2024-02-28', state!.stage, 1)];
  const page = textOf(
    partitionsPage({
      root,
      partitions,
      missingDays: [],
      unreadable: [],
      nowMillis: NOW,
      linkOf: () => undefined,
    }),
  );
  expect(page).toContain('What shadow runs have left, and no reader sees,');
  expect(page).not.toMatch(/Published partitions|newest published/);
});
