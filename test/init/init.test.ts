import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { beforeAll, describe, expect, it } from 'vitest';
import { callMain } from '../cli/callMain.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const data = join(folder, 'shop');
const ROWS = 600;

const integers = (name: string, values: readonly number[]) => pl.Series(name, [...values], pl.Int64);

/** A table as nobody here would name it: rows of a shop, by day. */
function writeDay(day: string, from: number): void {
  const rows = Array.from({ length: ROWS }, (_, i) => from + i);
  const isClick = rows.map((row) => Number((row * 7) % 10 < 4));
  const isOrder = rows.map((row, i) => isClick[i]! * Number((row * 13) % 9 < 3));
  const frame = pl.DataFrame({
    impressionId: rows.map((row) => `i-${row}`),
    userId: integers(
      'userId',
      rows.map((row) => (row * 31) % 97),
    ),
    session_id: rows.map((row) => `s${Math.floor(row / 3)}`),
    price: rows.map((row) => (row % 11 === 0 ? null : ((row * 17) % 1000) / 8)),
    constant: rows.map(() => 'x'),
    empty: rows.map(() => null),
    tags: rows.map((row) => [`t${row % 5}`, `t${row % 7}`]),
    eventTime: pl
      .Series(
        'eventTime',
        rows.map((row) => 1_700_000_000_000 + row),
        pl.Int64,
      )
      .cast(pl.Datetime('ms')),
    watch_time: isClick.map((click, i) => click * (1 + (i % 5))),
    is_like: rows.map((row, i) => isClick[i]! * Number(row % 4 === 0)),
    isClick,
    isOrder,
  });
  mkdirSync(join(data, `event_date=${day}`), { recursive: true });
  writeFileSync(join(data, `event_date=${day}`, 'part-0.parquet'), frame.writeParquet() as Buffer);
}

beforeAll(() => {
  for (const [index, day] of ['20260301', '20260302', '20260303'].entries()) writeDay(day, index * ROWS);
  writeFileSync(join(data, 'README.txt'), 'not a shard');
});

describe('ncs4cvr init', () => {
  it('proposes documents that train and score a table of foreign names as they stand', async () => {
    const output = join(folder, 'proposal');
    const init = await callMain('init', '--sample', data, '--output', output, '--json');
    expect(init.stderr).toBe('');
    const found = JSON.parse(init.stdout);
    expect(found).toMatchObject({
      rowKeys: ['impressionId'],
      areKeysUnique: true,
      layout: 'event_date=%Y%m%d',
      days: ['2026-03-01', '2026-03-02', '2026-03-03'],
      sampledRows: 3 * ROWS,
      ignored: [join(data, 'README.txt')],
    });
    const uses = Object.fromEntries(found.columns.map(({ column, use }: never) => [column, use]));
    expect(uses).toEqual({
      impressionId: 'key',
      userId: 'categorical',
      session_id: '-',
      price: 'bucketed',
      constant: '-',
      empty: '-',
      tags: 'list',
      eventTime: '-',
      watch_time: '-',
      is_like: '-',
      isClick: '-',
      isOrder: '-',
    });
    const seen = Object.fromEntries(found.columns.map(({ column, seen }: never) => [column, seen]));
    expect(seen.watch_time).toMatch(/^leaks: alone it tells isClick with an AUC of 1\.000/);
    expect(seen.is_like).toMatch(/^leaks: where it is 1, isClick always is/);
    expect(seen.session_id).toMatch(/tomorrow has others/);
    expect(seen.empty).toMatch(/null in every sampled row/);

    const [, ...train] = found.next.split(' ');
    const trained = await callMain(...train);
    expect(trained.exitCode, trained.stderr).toBe(0);
    const model = join(output, 'model');
    const scored = await callMain(
      'score',
      '--model',
      model,
      '--input',
      data,
      '--output',
      join(output, 'files'),
    );
    expect(scored.exitCode, scored.stderr).toBe(0);
    const planned = await callMain(
      'plan',
      '--job',
      found.job,
      '--json',
      '--output',
      join(output, 'plan.json'),
    );
    expect(planned.exitCode, planned.stderr).toBe(0);
    expect(JSON.parse(readFileSync(join(output, 'plan.json'), 'utf8')).partitions).toHaveLength(1);
  });

  it('takes a table without partitions for one, and its marker for what completes it, up to published scores', async () => {
    const table = join(folder, 'whole');
    mkdirSync(table);
    writeFileSync(join(table, 'part-0'), readFileSync(join(data, 'event_date=20260301', 'part-0.parquet')));
    writeFileSync(join(table, '_SUCCESS'), '');
    const output = join(folder, 'whole-proposal');
    const init = await callMain('init', '--sample', table, '--output', output);
    expect(init.stdout).toContain(
      '600 rows of 1 of 1 shard; no partitions: all of the input is one, named all',
    );
    const job = join(output, 'job.jsonc');
    const text = readFileSync(job, 'utf8');
    expect(text).toContain('"partitions": "none"');
    expect(text).toContain('"completeness": { "kind": "marker", "file": "_SUCCESS" }');
    const done = async (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await callMain(...args);
      expect(exitCode, stderr).toBe(0);
      return stdout;
    };
    await done('train', join(output, 'training.jsonc'), '--data', table, '--output', join(output, 'model'));
    const plan = join(output, 'plan.json');
    expect(await done('plan', '--job', job, '--output', plan)).toMatch(/^all {2}1 shard {2}600 rows/);
    await done('run', '--plan', plan);
    const published = JSON.parse(await done('status', '--job', job, '--json'));
    expect(published.states).toMatchObject([{ partition: 'all', stage: 'published' }]);
    expect(await done('plan', '--job', job)).toMatch(/; published\nnothing to score\n/);
  });

  it('makes a job of one file by its folder and its name', async () => {
    const output = join(folder, 'one-proposal');
    const file = join(data, 'event_date=20260301', 'part-0.parquet');
    expect((await callMain('init', '--sample', file, '--output', output)).exitCode).toBe(0);
    const text = readFileSync(join(output, 'job.jsonc'), 'utf8');
    expect(text).toContain(`"input": "${join(data, 'event_date=20260301')}"`);
    expect(text).toContain('"shardPattern": "part-0.parquet"');
    expect(text).toContain('"partitions": "none"');
    const model = join(output, 'model');
    const train = await callMain('train', join(output, 'training.jsonc'), '--data', file, '--output', model);
    expect(train.exitCode, train.stderr).toBe(0);
    const plan = join(output, 'plan.json');
    const planned = await callMain('plan', '--job', join(output, 'job.jsonc'), '--output', plan);
    expect(planned.stdout, planned.stderr).toMatch(/^all {2}1 shard {2}600 rows/);
    expect((await callMain('run', '--plan', plan)).stdout).toMatch(
      /^all: published, 1 part scored, 600 rows/,
    );
  }, 60_000);

  it('writes beside each choice, and each column left out, what was seen of it', () => {
    const text = readFileSync(join(folder, 'proposal', 'training.jsonc'), 'utf8');
    expect(text).toMatch(/"column": "price", "buckets": 20 .*\/\/ Float64; 9\.1% null; /);
    expect(text).toMatch(/\/\/ {3}constant \(Utf8\): has the one value x/);
    expect(text).toMatch(/\/\/ Clicks: 40\.0% of the sampled rows\./);
  });

  it('never overwrites a document, and says so before it looks at the data', async () => {
    const again = await callMain('init', '--sample', data, '--output', join(folder, 'proposal'));
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain('INIT_EXISTS');
    const unread = await callMain(
      ...['init', '--sample', join(folder, 'nowhere'), '--output', join(folder, 'proposal')],
    );
    expect(unread.stderr).toContain('INIT_EXISTS');
  });

  it.each([
    [['--click', 'nope'], 'INIT_NO_COLUMN'],
    [['--conversion', 'nope'], 'INIT_NO_COLUMN'],
    [['--keys', 'nope'], 'INIT_NO_COLUMN'],
  ])('names the columns there are when %j is none', async (args, code) => {
    const { exitCode, stderr } = await callMain(
      'init',
      '--sample',
      data,
      '--output',
      join(folder, 'no'),
      ...args,
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain(code);
    expect(stderr).toContain('userId, session_id');
  });

  it('asks for labels that no column is named like, and says which could be', async () => {
    const file = join(folder, 'unnamed.parquet');
    const rows = Array.from({ length: 50 }, (_, i) => i);
    const frame = pl.DataFrame({ id: rows, target_a: rows.map((i) => i % 2), item: rows.map((i) => i % 5) });
    writeFileSync(file, frame.writeParquet() as Buffer);
    const { exitCode, stderr } = await callMain(
      'init',
      '--sample',
      file,
      '--output',
      join(folder, 'unnamed'),
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('INIT_NO_LABEL');
    expect(stderr).toContain('target_a');
    expect(stderr).toContain('--click');
  });

  it('says of a column that is named as a label why it is none, such as one without a value', async () => {
    const file = join(folder, 'unfilled.parquet');
    const rows = Array.from({ length: 50 }, (_, i) => i);
    const frame = pl.DataFrame({ id: rows, click: rows.map(() => null), bought: rows.map((i) => i % 2) });
    writeFileSync(file, frame.writeParquet() as Buffer);
    const { stderr } = await callMain('init', '--sample', file, '--output', join(folder, 'unfilled'));
    expect(stderr).toMatch(
      /INIT_NO_LABEL.*found click \(\w+, null in every sampled row\); columns that could be are bought/,
    );
  });

  it('says of named keys that sampled rows lack that a run refuses such rows, in the config too', async () => {
    const file = join(folder, 'keyless.parquet');
    const rows = Array.from({ length: 50 }, (_, i) => i);
    const item = rows.map((i) => (i % 10 === 0 ? null : `item ${i % 5}`));
    const labels = { click: rows.map((i) => i % 2), bought: rows.map((i) => Number(i % 4 === 1)) };
    writeFileSync(file, pl.DataFrame({ id: integers('id', rows), item, ...labels }).writeParquet() as Buffer);
    const output = join(folder, 'keyless');
    const { stdout } = await callMain(
      ...['init', '--sample', file, '--output', output, '--keys', 'id', 'item'],
    );
    const said = /item is null in 5 sampled rows: a run refuses rows without a key, unless .*badRows/;
    expect(stdout).toMatch(said);
    expect(readFileSync(join(output, 'training.jsonc'), 'utf8')).toMatch(said);
    const keyed = await callMain(
      ...['init', '--sample', file, '--output', join(folder, 'keyed'), '--keys', 'id'],
    );
    expect(keyed.stdout).not.toContain('is null in');
  });

  it('names rows by a column that is called as they are, rather than by a moment that no two sampled rows share', async () => {
    const file = join(folder, 'moments.parquet');
    const rows = Array.from({ length: 200 }, (_, i) => i);
    const frame = pl.DataFrame({
      ts: integers('ts', rows),
      imp: integers('imp', rows),
      item: integers(
        'item',
        rows.map((i) => i % 7),
      ),
      click: rows.map((i) => Number(i % 3 === 0)),
      bought: rows.map((i) => Number(i % 6 === 0)),
    });
    writeFileSync(file, frame.writeParquet() as Buffer);
    const output = join(folder, 'moments');
    const { stdout } = await callMain('init', '--sample', file, '--output', output, '--json');
    expect(JSON.parse(stdout).rowKeys).toEqual(['imp']);
  });

  it('warns when no columns tell the sampled rows apart', async () => {
    const file = join(folder, 'twice.parquet');
    const rows = Array.from({ length: 200 }, (_, i) => i % 100);
    const click = rows.map((_, i) => Number(i % 3 === 0));
    const frame = pl.DataFrame({
      user_id: integers('user_id', rows),
      price: rows.map((i) => i / 7),
      click,
      purchase: click,
    });
    writeFileSync(file, frame.writeParquet() as Buffer);
    const { stdout } = await callMain('init', '--sample', file, '--output', join(folder, 'twice'));
    expect(stdout).toContain('NOT unique in the sample');
  });
});
