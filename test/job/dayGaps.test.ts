import { describe, expect, it } from 'vitest';
import { describeGap, gapsOfDays } from '../../lib/job/dayGaps.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import type { OpenedInput } from '../../lib/job/jobInput.ts';
import { byTime, type DayRange, isInRange } from '../../lib/job/listPartitions.ts';
import { type LaidOutPartition, layOutPartition } from '../../lib/job/partitionLayout.ts';
import { skippedHours } from '../../lib/job/readiness.ts';

const NOW = Date.parse('2024-03-11T12:00:00Z');
const dayOf = (number: number) => `2024-03-${String(number).padStart(2, '0')}`;
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

/** What days lack. @param days that are asked for, all by default */
async function gaps(
  layout: string,
  names: readonly string[],
  days?: readonly string[],
  nowMillis = NOW,
  timeZone = 'UTC',
) {
  const job = parseJob({ input: 'i', scores: 's', model: 'm', partitions: layout, timeZone });
  const all = names.map((name) => layOutPartition(job.layout, name) as LaidOutPartition).sort(byTime);
  const listed: DayRange[] = [];
  const input = {
    listPartitions: async (asked: DayRange) => {
      listed.push(asked);
      return { partitions: all.filter(({ day }) => isInRange(day!, asked)), skipped: [] };
    },
  } as unknown as OpenedInput;
  const asked = days ?? [...new Set(all.map(({ day }) => day!))];
  return { found: (await gapsOfDays(job, input, asked, nowMillis)).map(describeGap), listed };
}
const ofRegions = async (regions: Readonly<Record<string, readonly number[]>>, days?: readonly string[]) => {
  const names = Object.entries(regions).flatMap(([region, numbers]) =>
    numbers.map((number) => `region=${region}/dt=${dayOf(number)}`),
  );
  return (await gaps('region=/dt=', names, days)).found;
};

describe('a day without what the days around it have', () => {
  it('is told with the region that it lacks, in an outage of days too', async () => {
    expect(await ofRegions({ eu: range(1, 10), us: [1, 2, 4, 5, 8, 9, 10] })).toEqual([
      '2024-03-03: region=us',
      '2024-03-06: region=us',
      '2024-03-07: region=us',
    ]);
  });

  it('is told at the end, where nobody knows yet whether a region was given up, and no longer than three days', async () => {
    expect(await ofRegions({ eu: range(1, 10), us: range(1, 9) })).toEqual(['2024-03-10: region=us']);
    expect(await ofRegions({ eu: range(1, 10), us: range(1, 7) })).toEqual(
      [8, 9, 10].map((day) => `${dayOf(day)}: region=us`),
    );
    expect(await ofRegions({ eu: range(1, 10), us: range(1, 6) })).toEqual([]);
  });

  it('is none before a region began', async () => {
    expect(await ofRegions({ eu: range(1, 10), us: range(5, 10) })).toEqual([]);
  });

  it('is compared with days outside of those that are asked for', async () => {
    const regions = { eu: range(1, 10), us: [1, 2, 3, 6, 7, 8] };
    expect(await ofRegions(regions, [dayOf(4)])).toEqual(['2024-03-04: region=us']);
  });

  it('has all of its hours where clocks go forward and never show one; another hour that it lacks is told', async () => {
    const hoursBut = (gone: readonly string[]) =>
      ['2024-03-30', '2024-03-31', '2024-04-01', '2024-04-02'].flatMap((day) =>
        range(0, 23)
          .map((hour) => `dt=${day}/hour=${String(hour).padStart(2, '0')}`)
          .filter((name) => !gone.includes(name)),
      );
    const later = Date.parse('2024-04-05T12:00:00Z');
    const lackOf = async (timeZone: string, ...gone: readonly string[]) =>
      (await gaps('dt=/hour=', hoursBut(gone), undefined, later, timeZone)).found;
    const [two, three] = ['dt=2024-03-31/hour=02', 'dt=2024-03-31/hour=03'];
    expect(await lackOf('Europe/Berlin', two)).toEqual([]);
    expect(await lackOf('Europe/Berlin', two, three)).toEqual(['2024-03-31: hour 03']);
    expect(await lackOf('UTC', two)).toEqual(['2024-03-31: hour 02']);
    // Half an hour of it is left, half a year later on the other side of the world.
    expect(skippedHours('Australia/Lord_Howe', '2024-10-06')).toEqual([]);
    expect(skippedHours('Pacific/Kiritimati', '2024-03-31')).toEqual([]);
  });

  it('is told with its hours, of a region alone where the others have them', async () => {
    const names = range(1, 4).flatMap((day) =>
      ['eu', 'us'].flatMap((region) =>
        range(0, 23).map((hour) => `region=${region}/date=202403${dayOf(day).slice(-2)}/hour=${hour}`),
      ),
    );
    const gone = ['region=us/date=20240302/hour=3', 'region=us/date=20240302/hour=17'];
    const left = names.filter((name) => !gone.includes(name) && !name.startsWith('region=eu/date=20240303'));
    expect((await gaps('region=/date=%Y%m%d/hour=%H', left)).found).toEqual([
      '2024-03-02: region=us hour 03, region=us hour 17',
      '2024-03-03: region=eu',
    ]);
    const hourly = left.flatMap((name) => /^region=us\/(.*)/.exec(name)?.[1] ?? []);
    expect((await gaps('date=%Y%m%d/hour=%H', hourly)).found).toEqual(['2024-03-02: hour 03, hour 17']);
  });

  it('is none as long as it lasts', async () => {
    const names = [
      ...range(9, 10).flatMap((day) => range(0, 23).map((hour) => `dt=${dayOf(day)}/hour=${hour}`)),
    ];
    names.push('dt=2024-03-11/hour=0');
    expect((await gaps('dt=/hour=', names)).found).toEqual([]);
    expect((await gaps('dt=/hour=', names, undefined, NOW + 86_400_000)).found).toEqual([
      `2024-03-11: ${range(1, 23)
        .map((hour) => `hour ${String(hour).padStart(2, '0')}`)
        .join(', ')}`,
    ]);
  });

  it('is looked for by no listing under a layout of days alone', async () => {
    for (const [layout, name] of [
      ['dt=', 'dt=2024-03-01'],
      ['year=/month=/day=', 'year=2024/month=03/day=01'],
    ] as const) {
      expect(await gaps(layout, [name])).toEqual({ found: [], listed: [] });
    }
  });
});
