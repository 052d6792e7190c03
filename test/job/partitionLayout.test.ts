import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { layOutPartition, parsePartitionLayout } from '../../lib/job/partitionLayout.ts';

const layOut = (layout: string, partition: string) => {
  const laidOut = layOutPartition(parsePartitionLayout(layout), partition);
  return typeof laidOut === 'string'
    ? laidOut
    : { day: laidOut.day, hour: laidOut.hour, others: laidOut.others };
};

describe('a partition by its layout', () => {
  test.each([
    ['dt=%Y-%m-%d', 'dt=2024-03-04', '2024-03-04', undefined, []],
    ['dt=', 'dt=2024-03-04', '2024-03-04', undefined, []],
    ['date=%Y%m%d/hour=%H', 'date=20240304/hour=07', '2024-03-04', 7, []],
    ['date=%Y%m%d/hour=', 'date=20240304/hour=7', '2024-03-04', 7, []],
    ['year=/month=/day=', 'year=2024/month=9/day=30', '2024-09-30', undefined, []],
    ['year=/month=/day=', 'year=2024/month=10/day=01', '2024-10-01', undefined, []],
    ['region=/dt=', 'region=eu west/dt=2024-03-06', '2024-03-06', undefined, ['eu west']],
    ['dt=/bucket=%i', 'dt=2024-03-06/bucket=12', '2024-03-06', undefined, ['12']],
    ['ts=%Y-%m-%dT%H', 'ts=2024-03-06T23', '2024-03-06', 23, []],
    ['region=', 'region=us', undefined, undefined, ['us']],
    ['constructor=', 'constructor=us', undefined, undefined, ['us']],
    ['dt=', 'dt=2024-02-29', '2024-02-29', undefined, []],
  ])('%s reads %s', (layout, partition, day, hour, others) => {
    expect(layOut(layout, partition)).toEqual({ day, hour, others });
  });

  test.each([
    ['dt=', 'dt=__HIVE_DEFAULT_PARTITION__', 'is not of the form %Y-%m-%d'],
    ['dt=', 'dt=test', 'is not of the form'],
    ['dt=', 'dt=2024-3-4', 'is not of the form'],
    ['dt=', 'dt=2024-03-04x', 'is not of the form'],
    ['dt=', 'date=2024-03-04', 'not named dt=...'],
    ['dt=', 'dt=2023-02-29', 'is no date'],
    ['dt=', 'dt=2024-00-10', 'is no date'],
    ['dt=', 'dt=2024-13-10', 'is no date'],
    ['dt=', 'dt=2024-03-00', 'is no date'],
    ['dt=/hour=', 'dt=2024-03-04/hour=24', 'is no date or time'],
    ['dt=/hour=', 'dt=2024-03-04', '1 folders, where the layout has 2'],
    ['dt=/bucket=%i', 'dt=2024-03-06/bucket=x', 'is not of the form %i'],
    ['year=/month=/day=', 'year=24/month=1/day=1', 'is not of the form %Y'],
  ])('%s refuses %s: %s', (layout, partition, reason) => {
    expect(layOut(layout, partition)).toContain(reason);
  });

  it('has the day that was written into it, whatever the order and separators', () => {
    const anyDay = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
    fc.assert(
      fc.property(anyDay, fc.integer({ min: 0, max: 23 }), fc.boolean(), (date, hour, isPadded) => {
        const day = date.toISOString().slice(0, 10);
        const [year, month, dayOfMonth] = day.split('-') as [string, string, string];
        const write = (text: string) => (isPadded ? text : String(Number(text)));
        const compact = `date=${day.replaceAll('-', '')}/hour=${String(hour).padStart(2, '0')}`;
        expect(layOut('date=%Y%m%d/hour=', compact)).toEqual({ day, hour, others: [] });
        const split = `day=${write(dayOfMonth)}/year=${year}/month=${write(month)}`;
        expect(layOut('day=/year=/month=', split)).toMatchObject({ day });
      }),
    );
  });
});

describe('a layout', () => {
  test.each([
    ['', "the segment ''"],
    ['2024/03', "the segment '2024'"],
    ['dt', "the segment 'dt'"],
    ['dt=/', "the segment ''"],
    ['dt=%Y-%m', 'no day'],
    ['hour=', 'no day'],
    ['dt=%Y-%m-%d/day=', "'d' twice"],
    ['region=/region=', "'region' twice"],
    ['dt=%Y-%b-%d', "the directive '%b'"],
    ['dt=%', "the directive '%'"],
    ['v=1/dt=', "the fixed value 'v=1'"],
  ])('%s is refused: %s', (layout, found) => {
    expect(() => parsePartitionLayout(layout)).toThrow(
      expect.objectContaining({ code: 'JOB_LAYOUT_INVALID', found: expect.stringContaining(found) }),
    );
  });

  it('takes what means something to a regular expression as it is written', () => {
    expect(layOut('dt=%Y.%m.%d', 'dt=2024.03.04')).toMatchObject({ day: '2024-03-04' });
    expect(layOut('dt=%Y.%m.%d', 'dt=2024-03-04')).toContain('not of the form');
  });
});
