import { expect, test } from 'vitest';
import { dayOfPath } from '../../lib/base/dayOfPath.ts';

const dayOf = (path: string) => {
  const day = dayOfPath(path);
  return day === undefined ? undefined : new Date(day * 86_400_000).toISOString().slice(0, 10);
};

test.each([
  ['s3://bucket/logs/dt=2022-05-06/part-0.parquet', '2022-05-06'],
  ['data/date=20220506/hour=07/part-0.parquet', '2022-05-06'],
  ['/x/event_date=2022-05-06-23/a.parquet', '2022-05-06'],
  ['/x/h=2022050623/a.parquet', '2022-05-06'],
  ['/x/year=2022/month=5/day=06/hour=1/a.parquet', '2022-05-06'],
  ['/x/dt=2020-01-01/dt2=2022-05-06/a.parquet', '2022-05-06'],
  ['/x/dt=2020-01-01/region=eu/a.parquet', '2020-01-01'],
])('the day of %s is %s', (path, day) => expect(dayOf(path)).toBe(day));

test.each([
  'part-0.parquet',
  '/x/2022-05-06/a.parquet',
  '/x/dt=2022-13-06/a.parquet',
  '/x/dt=2022-02-30/a.parquet',
  '/x/dt=20230229/a.parquet',
  '/x/year=2022/month=4/day=31/a.parquet',
  '/x/dt=__HIVE_DEFAULT_PARTITION__/a.parquet',
  '/x/dt=2022-05-06.parquet',
  '/x/year=2022/month=5/a.parquet',
  '/x/user=12345678901/a.parquet',
])('%s names no day', (path) => expect(dayOf(path)).toBeUndefined());
