import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { partitionOf, selectPartitions } from '../../lib/publish/selectPartitions.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const root = temporaryFolder();
for (const path of [
  'dt=2022-05-09/a.parquet',
  'dt=2022-05-10/hour=03/a.parquet',
  'dt=2022-05-10/hour=11/a.parquet',
  'dt=2022-05-10/hour=11/deeper/b.parquet',
  'dt=2022-04-30/a.parquet',
  'loose.parquet',
]) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), '');
}
const namesOf = async (choice: Parameters<typeof selectPartitions>[1]) =>
  (await selectPartitions(root, choice)).map(({ partition }) => partition);

it('the newest partition is the last in binary order', async () => {
  expect(await selectPartitions(root, { kind: 'newest' })).toEqual([
    { partition: 'dt=2022-05-10/hour=11', inputUri: join(root, 'dt=2022-05-10/hour=11') },
  ]);
});

it('one partition is taken by its whole name', async () => {
  expect(await namesOf({ kind: 'one', partition: 'dt=2022-05-09' })).toEqual(['dt=2022-05-09']);
  const part = selectPartitions(root, { kind: 'one', partition: 'dt=2022-05-0' });
  await expect(part).rejects.toMatchObject({ code: 'PLAN_NO_PARTITION', expected: 'dt=2022-05-0' });
});

it('a range of dates takes both ends and every hour in between', async () => {
  expect(await namesOf({ kind: 'dates', from: '2022-05-09', to: '2022-05-10' })).toEqual([
    'dt=2022-05-09',
    'dt=2022-05-10/hour=03',
    'dt=2022-05-10/hour=11',
  ]);
  const none = selectPartitions(root, { kind: 'dates', from: '2023-01-01', to: '2023-12-31' });
  await expect(none).rejects.toMatchObject({
    code: 'PLAN_NO_PARTITION',
    expected: 'dt=2023-01-01 to dt=2023-12-31',
  });
});

it('an event of a shard is of the partition that the shard is listed in; events of all other objects are of none', async () => {
  const listed = partitionOf(root, join(root, 'dt=2022-05-10/hour=11/deeper/b.parquet'));
  expect(listed).toBe('dt=2022-05-10/hour=11');
  const found = [
    'dt=1/a.PARQ',
    'dt=1/a.parquet.tmp',
    'dt=1/_temporary/0/a.parquet',
    'dt=1/.a.parquet',
    '_x=1/a.parquet',
    'loose.parquet',
  ].map((path) => partitionOf('s3://b/features/', `s3://b/features/${path}`));
  expect(found).toEqual(['dt=1', ...Array(5).fill(undefined)]);
  expect(partitionOf('s3://b/features', 's3://b/features-2/dt=1/a.parquet')).toBeUndefined();
});
