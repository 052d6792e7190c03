import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readReportLabels } from '../../lib/comparison/reportRows.ts';
import { splitShards } from '../../lib/recipe/splitShards.ts';
import { countClasses } from '../../lib/training/taskLabels.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const [first, second, third] = TINY_DATES;
const day = (date: string) => ({ from: date, to: date });

it('report rows have their conversions once they are old enough, and unknown ones before; their clicks in any case', async () => {
  const data = writeTinyFunnel(join(temporaryFolder(), 'data'), { rowsPerDay: 60 });
  const sides = { train: day(first), validation: day(second), report: day(third) };
  const split = await splitShards(data, { by: 'date', ...sides });
  const labelsOf = (report: typeof split.report, matureAfter: string) => {
    const config = tinyConfig({ labels: { click: 'click', conversion: 'conversion', matureAfter } });
    return readReportLabels(config, { ...split, report });
  };
  // Two days and one day before the newest.
  const [oldest, younger] = [split.training, split.validation];
  const old = await labelsOf(oldest, '2d');
  expect(countClasses(old, 'conversion').rows).toBe(old.click.filter((click) => click === 1).length);
  const young = await labelsOf(younger, '2d');
  expect(countClasses(young, 'conversion').rows).toBe(0);
  expect(countClasses(young, 'click')).toEqual(countClasses(await labelsOf(younger, '1d'), 'click'));
  expect(countClasses(await labelsOf(younger, '1d'), 'conversion').rows).toBeGreaterThan(0);
});
