import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pl from 'nodejs-polars';
import { expect, test } from 'vitest';
import { DAY_MILLIS } from '../../lib/base/calendarDay.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfig } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { scoreBits } from './readScores.ts';

const folder = temporaryFolder();
const ROWS = 500;

/** When an item was published: up to 30 days before the row, at any time of the day, and now and then unknown. */
function publishedMillis(date: string): (number | null)[] {
  return Array.from({ length: ROWS }, (_, row) =>
    row % 17 === 0 ? null : Date.parse(date) - (row % 30) * DAY_MILLIS + ((row * 7_919) % 86_400) * 1000,
  );
}

/** The shards of one day, with columns made of `published`. */
function writeDay(source: string, target: string, date: string, asIntegers: boolean): void {
  const path = join(`dt=${date}`, 'part-0.parquet');
  const millis = publishedMillis(date);
  const integers = (name: string, of: (time: Date) => number) => {
    const values = millis.map((each) => (each === null ? null : of(new Date(each))));
    return pl.Series(name, values, pl.Float64).cast(pl.Int64);
  };
  const frame = pl.readParquet(readFileSync(join(source, path)));
  const times = pl.Series('published', millis, pl.Float64).cast(pl.Int64).cast(pl.Datetime('ms'));
  const written = asIntegers
    ? frame.withColumns(
        integers('published_hour', (time) => time.getUTCHours()),
        integers('weekday', (time) => time.getUTCDay() || 7),
        integers(
          'age_days',
          (time) => Math.floor(Date.parse(date) / DAY_MILLIS) - Math.floor(+time / DAY_MILLIS),
        ),
      )
    : frame.withColumns(times, times.cast(pl.Date).rename('published_day'));
  mkdirSync(dirname(join(target, path)), { recursive: true });
  writeFileSync(join(target, path), written.writeParquet() as Buffer);
}

const table = { type: 'int', vocabulary: {} };

test('features of timestamps and dates score as columns of the same integers do, shards of several days in one request', async () => {
  const source = writeTinyFunnel(join(folder, 'source'), { rowsPerDay: ROWS });
  const [integers, moments] = [join(folder, 'integers'), join(folder, 'moments')];
  for (const date of TINY_DATES) {
    writeDay(source, integers, date, true);
    writeDay(source, moments, date, false);
  }
  const { contract } = tinyConfig();
  const trained = async (data: string, features: readonly object[], name: string) => {
    const config = tinyConfig({ contract: { features: [...contract.features, ...features] } });
    return (await trainModel(config, data, join(folder, name))).bundle;
  };
  const ofIntegers = await trained(
    integers,
    [
      { kind: 'categorical', column: 'published_hour', table },
      { kind: 'categorical', column: 'weekday', table },
      { kind: 'bucketed', column: 'age_days', buckets: 5 },
      { kind: 'numeric', name: 'age_in_days', column: 'age_days' },
    ],
    'of-integers',
  );
  const ofMoments = await trained(
    moments,
    [
      { kind: 'categorical', name: 'published_hour', column: 'published', from: 'hour', table },
      { kind: 'categorical', name: 'weekday', column: 'published_day', from: 'weekday', table },
      { kind: 'bucketed', name: 'age_days', column: 'published', from: 'ageDays', buckets: 5 },
      { kind: 'numeric', name: 'age_in_days', column: 'published_day', from: 'ageDays' },
    ],
    'of-moments',
  );
  expect(ofMoments.reference).toEqual(ofIntegers.reference);
  const scores = join(folder, 'scores');
  const options = { workers: 1 };
  expect(await scoreInput(integers, join(scores, 'i'), ofIntegers, options)).toMatchObject({ failures: [] });
  expect(await scoreInput(moments, join(scores, 'm'), ofMoments, options)).toMatchObject({ failures: [] });
  for (const date of TINY_DATES) {
    const bits = scoreBits(join(scores, 'm', `dt=${date}`, 'part-0.arrow'));
    expect(bits.size).toBe(ROWS);
    expect(bits).toEqual(scoreBits(join(scores, 'i', `dt=${date}`, 'part-0.arrow')));
  }
  const nowhere = join(folder, 'nowhere');
  mkdirSync(nowhere);
  const shard = join(nowhere, 'a.parquet');
  writeFileSync(shard, readFileSync(join(moments, `dt=${TINY_DATES[0]}`, 'part-0.parquet')));
  const unknown = { code: 'SHARD_DAY_UNKNOWN', location: { file: shard, column: 'published' } };
  const { failures } = await scoreInput(nowhere, join(scores, 'n'), ofMoments, options);
  expect(failures).toMatchObject([{ error: unknown }]);
  const split = { by: 'fraction', validation: 0.2 } as const;
  const config = { ...tinyConfig(), split, contract: ofMoments.contract };
  await expect(trainModel(config, nowhere, join(folder, 'none'))).rejects.toMatchObject(unknown);
});
