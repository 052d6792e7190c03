import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Field, List, Null, Table, Utf8, vectorFromArray } from 'apache-arrow';
import pl from 'nodejs-polars';
import { describe, expect, it } from 'vitest';
import { decodeCommentedJson } from '../../lib/base/commentedJson.ts';
import { type ColumnSample, ColumnSampler } from '../../lib/init/columnSample.ts';
import { labelByValues, parseNamedLabel } from '../../lib/init/namedLabel.ts';
import { rankAuc } from '../../lib/metrics/rankAuc.ts';
import { callMain } from '../cli/callMain.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const ROWS = 400;
const HOUR_MILLIS = 3_600_000;

type Columns = Record<string, readonly unknown[] | pl.Series>;

/** Rows from `from` on: 40% are clicked, a third of those bought. */
const rowsFrom = (from: number) => Array.from({ length: ROWS }, (_, i) => from + i);
const isClick = (row: number) => Number((row * 7) % 10 < 4);
const isOrder = (row: number) => isClick(row) * Number((row * 13) % 9 < 3);

function writeShard(path: string, columns: Columns): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, pl.DataFrame(columns as Record<string, unknown[]>).writeParquet() as Buffer);
}

interface Proposed {
  readonly rowKeys: string[];
  readonly columns: { column: string; use: string; seen: string }[];
  readonly config: string;
  readonly job: string;
}

async function propose(name: string, ...args: string[]) {
  const output = join(folder, `of-${name}`);
  const data = join(folder, name);
  const { exitCode, stdout, stderr } = await callMain(
    ...['init', '--sample', data, '--output', output, '--json', ...args],
  );
  expect(exitCode, stderr).toBe(0);
  const found: Proposed = JSON.parse(stdout);
  const documentAt = (file: string) => decodeCommentedJson(readFileSync(file), { code: 'X', file });
  const train = async () => {
    const model = join(output, 'model');
    const trained = await callMain('train', found.config, '--data', data, '--output', model);
    expect(trained.exitCode, trained.stderr).toBe(0);
  };
  const seenOf = (column: string) => found.columns.find((each) => each.column === column)?.seen;
  return { ...found, training: documentAt(found.config), jobDocument: documentAt(found.job), train, seenOf };
}

it('a column that a first shard has nulls alone of has the type of the first that has values', () => {
  const sampler = new ColumnSampler('word', new Null());
  for (const values of [vectorFromArray([null, null], new Null()), vectorFromArray(['a', 'b'], new Utf8())]) {
    sampler.addRows(new Table({ word: values }).batches[0]!, 2);
  }
  expect(sampler.sample(0)).toMatchObject({
    ...{ type: 'Utf8', kind: 'string', nulls: 2 },
    values: [null, null, 'a', 'b'],
  });
});

it('a column of lists that are all empty in a first shard, as lists of nulls, has the type of the first that fills one', () => {
  const sampler = new ColumnSampler('tags', new List(new Field('item', new Null())));
  const tables = [
    vectorFromArray([[], null], new List(new Field('item', new Null()))),
    vectorFromArray([['a', 'b'], ['a']], new List(new Field('item', new Utf8()))),
    vectorFromArray([[], []], new List(new Field('item', new Null()))),
  ];
  for (const tags of tables) sampler.addRows(new Table({ tags }).batches[0]!, 2);
  expect(sampler.sample(0)).toMatchObject({
    ...{ type: 'List<Utf8>', kind: 'strings', nulls: 1, values: [0, null, 2, 1, 0, 0] },
    counts: new Map([
      ['a', 2],
      ['b', 1],
    ]),
  });
});

it('a score that is no number costs a rank, and not the end of the count', () => {
  expect(rankAuc(Float32Array.of(0.1, Number.NaN, 0.9), Float32Array.of(0, 1, 1))).toBe(1);
});

describe('ncs4cvr init', () => {
  it('takes labels in words, named or found by name, and refuses words that it does not know instead of reading them for ever', async () => {
    const rows = rowsFrom(0);
    writeShard(join(folder, 'words', 'a.parquet'), {
      row_id: rows.map((row) => `r${row}`),
      item: rows.map((row) => `i${row % 7}`),
      click: rows.map((row) => (isClick(row) ? 'Yes' : 'no')),
      bought: rows.map((row) => (isOrder(row) ? 'T' : 'F')),
      state: rows.map((row) => ['seen', 'gone', 'kept'][row % 3]),
    });
    const { training, train } = await propose('words');
    expect(training).toMatchObject({
      labels: {
        click: { column: 'click', values: { Yes: 1, no: 0 } },
        conversion: { column: 'bought', values: { T: 1, F: 0 } },
      },
    });
    await train();
    const refused = await callMain(
      ...['init', '--sample', join(folder, 'words'), '--output', join(folder, 'no'), '--click', 'state'],
    );
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/INIT_NO_LABEL.*'state'.*Utf8, such as "seen", "gone", "kept"/);
    // The way out is an option that can be pasted.
    const [, option] = /--click '([^']+)'/.exec(refused.stderr)!;
    expect(option).toBe('state=gone:0,kept:0,seen:1');
    const named = await propose(
      'words',
      ...['--output', join(folder, 'named'), '--click', option!],
      ...['--conversion', 'state=gone:0, kept:1,seen:null'],
    );
    expect(named.training).toMatchObject({
      labels: {
        click: { column: 'state', values: { gone: 0, kept: 0, seen: 1 } },
        conversion: { column: 'state', values: { gone: 0, kept: 1, seen: null } },
      },
    });
  });

  it.each([
    ['state=seen:1,gone:0', 'no label for kept'],
    ['state=seen:1,gone:0,kept:0.5', 'neither 0 nor 1'],
    ['state=seen:0,gone:0,kept:0', 'no value with the label 1'],
    ['state=seen:1,gone,kept:0', "'gone', which is no VALUE:LABEL"],
    ['state=seen:1,gone:,kept:0', "'gone:', which is no VALUE:LABEL"],
    ['state=seen:2,gone:0,kept:0', "'seen:2', which is no VALUE:LABEL"],
  ])('refuses --click %s: %s', (given, found) => {
    const column = {
      name: 'state',
      counts: new Map(['seen', 'gone', 'kept'].map((each) => [each, 1])),
      values: [],
    };
    const named = parseNamedLabel(given, ['state']);
    expect(() => labelByValues(column as unknown as ColumnSample, named, 'click', 'words')).toThrow(found);
  });

  it('takes names of columns with a = and values with a : for what they are', () => {
    expect(parseNamedLabel('a=b', ['a=b', 'a'])).toEqual({ name: 'a=b' });
    expect(parseNamedLabel('a=b=x:y:1,z:0', ['a=b', 'a'])).toEqual({
      name: 'a=b',
      values: new Map([
        ['x:y', 1],
        ['z', 0],
      ]),
    });
    expect(parseNamedLabel('evnt=view:0', ['event']).name).toBe('evnt');
  });

  it('finds a key that is named with blanks, keeps those beside brackets, and names the hour of a column so that a contract takes it', async () => {
    for (const day of [1, 2]) {
      const rows = rowsFrom(day * ROWS);
      writeShard(join(folder, 'blanks', `dt=2026-03-0${day}`, 'a.parquet'), {
        'Impression ID': rows.map((row) => `é-${row}`),
        'User ID': rows.map((row) => `u${row % 31}`),
        'Price [ USD ]': rows.map((row) => (row % 57) / 4),
        'Shown At': pl
          .Series(
            'Shown At',
            rows.map((row) => Date.UTC(2026, 2, day) + (row % 24) * HOUR_MILLIS),
            pl.Int64,
          )
          .cast(pl.Datetime('ms')),
        isClick: rows.map((row) => isClick(row) === 1),
        Purchased: rows.map((row) => isOrder(row) === 1),
      });
    }
    const { rowKeys, training, train } = await propose('blanks');
    expect(rowKeys).toEqual(['Impression ID']);
    expect(training).toMatchObject({
      labels: { user: 'User ID' },
      contract: {
        features: [
          { column: 'User ID' },
          { column: 'Price [ USD ]' },
          { column: 'Shown At', name: 'Shown_At_hour' },
        ],
      },
    });
    await train();
  });

  it('proposes keys that a contract takes, users that are more than kinds of devices, and comments that stay comments', async () => {
    const dayMillis = 24 * HOUR_MILLIS;
    for (const day of [1, 2]) {
      const rows = rowsFrom(0);
      writeShard(join(folder, 'hotels', `dt=2026-03-0${day}`, 'a.parquet'), {
        search_id: rows.map((row) => `s${day}-${row >> 2}`),
        position: pl.Series(
          'position',
          rows.map((row) => row % 4),
          pl.Int32,
        ),
        guest: rows.map((row) => `g${(row >> 2) % 31}`),
        device: rows.map((row) => ['ios', 'web'][row % 2]),
        is_member: rows.map((row) => row % 3 === 0),
        checkin: pl
          .Series(
            'checkin',
            rows.map((row) => Date.UTC(2026, 2, day) / dayMillis + (row % 60)),
            pl.Int32,
          )
          .cast(pl.Date),
        note: rows.map(() => 'two\nlines'),
        clicked: rows.map(isClick),
        booked: rows.map(isOrder),
      });
    }
    const { rowKeys, training, train, seenOf } = await propose('hotels');
    expect(rowKeys).toEqual(['search_id', 'position']);
    expect(training).toMatchObject({
      labels: { user: 'guest' },
      contract: {
        features: [
          ...['position', 'guest', 'device', 'is_member'].map((column) => ({ column })),
          { column: 'checkin', from: 'weekday' },
        ],
      },
    });
    expect(seenOf('search_id')).toBe('lasts a visit: tomorrow has others');
    expect(seenOf('position')).toBe('4 values, row key too');
    await train();
  });

  it('never guesses a key that a contract refuses, and refuses one that is named', async () => {
    const rows = rowsFrom(0);
    writeShard(join(folder, 'yes', 'a.parquet'), {
      is_member: rows.map((row) => row % 2 === 0),
      clicked: rows.map(isClick),
      booked: rows.map(isOrder),
    });
    for (const keys of [[], ['--keys', 'is_member']]) {
      const output = join(folder, 'of-yes');
      const { exitCode, stderr } = await callMain(
        ...['init', '--sample', join(folder, 'yes'), '--output', output, ...keys],
      );
      expect(exitCode).toBe(1);
      expect(stderr).toMatch(/INIT_NO_KEY/);
    }
  });

  it('takes a unique column of any name for the key before some that repeat together, and no index of pandas at all', async () => {
    const rows = rowsFrom(0);
    writeShard(join(folder, 'unnamed', 'a.parquet'), {
      __index_level_0__: rows.map((row) => row * 7),
      user_id: rows.map((row) => `u${row % 5}`),
      item_id: rows.map((row) => `i${row % 5}`),
      voucher: rows.map((row) => `v${row}`),
      click: rows.map(isClick),
      purchase: rows.map(isOrder),
    });
    const { rowKeys, seenOf, columns } = await propose('unnamed');
    expect(rowKeys).toEqual(['voucher']);
    expect(columns[0]).toMatchObject({ column: '__index_level_0__', use: '-' });
    expect(seenOf('__index_level_0__')).toMatch(/index of a pandas table/);
  });

  it('names the column of keys that has nulls when no other names the rows', async () => {
    const rows = rowsFrom(0);
    writeShard(join(folder, 'keyless', 'a.parquet'), {
      uuid: rows.map((row) => (row % 200 === 7 ? null : `u-${row}`)),
      query: rows.map((row) => `q${row % 7}`),
      click: rows.map(isClick),
      purchase: rows.map(isOrder),
    });
    const input = join(folder, 'keyless');
    const refused = await callMain('init', '--sample', input, '--output', join(folder, 'no'));
    expect(refused.stderr).toMatch(/INIT_NO_KEY.*found query, uuid with 2 nulls\)/);
  });

  it('finds what comes of a rare event to leak it, however few rows have it', async () => {
    const rows = rowsFrom(0).concat(rowsFrom(ROWS), rowsFrom(2 * ROWS));
    const buys = (row: number) => isOrder(row) * Number(row % 3 === 0);
    expect(rows.filter(buys).length / rows.length).toBeLessThan(0.06);
    writeShard(join(folder, 'rare', 'a.parquet'), {
      row_id: rows.map((row) => `r${row}`),
      item: rows.map((row) => `i${row % 7}`),
      revenue: rows.map((row) => buys(row) * (5 + (row % 97) / 8)),
      price: rows.map((row) => 5 + ((row * 31) % 97) / 8),
      click: rows.map(isClick),
      purchase: rows.map(buys),
    });
    const { seenOf, training } = await propose('rare');
    expect(seenOf('revenue')).toMatch(/^leaks: alone it tells purchase with an AUC of (1\.000|0\.99\d)$/);
    expect(training).toMatchObject({ contract: { features: [{ column: 'item' }, { column: 'price' }] } });
  });

  it('makes a column that some shards lack no requirement, reads one by its widest type, and lets hours differ', async () => {
    for (const [index, hour] of ['00', '06', '12', '18'].entries()) {
      const rows = rowsFrom(index * ROWS);
      const first = index === 0;
      for (const day of ['01', '02']) {
        writeShard(join(folder, 'drift', `dt=2026-03-${day}`, `hour=${hour}`, 'a.parquet'), {
          request_id: rows.map((row) => `${day}-${row}`),
          shown_at: pl
            .Series(
              'shown_at',
              rows.map(() => Date.UTC(2026, 2, Number(day), Number(hour))),
              pl.Int64,
            )
            .cast(pl.Datetime('ms')),
          // A writer without a schema: whole numbers in one file and floats in another.
          size: first
            ? pl.Series(
                'size',
                rows.map((row) => row % 49),
                pl.Int64,
              )
            : rows.map((row) => (row % 49) + 0.5),
          ...(index % 2 === 0 ? { fresh: rows.map((row) => `f${row % 3}`) } : {}),
          click: rows.map(isClick),
          purchase: rows.map(isOrder),
        });
      }
    }
    const { training, jobDocument, train, seenOf } = await propose('drift');
    expect(training).toMatchObject({
      contract: {
        features: [
          { column: 'shown_at', from: 'hour' },
          { kind: 'bucketed', column: 'size' },
          { column: 'fresh', required: false },
        ],
      },
    });
    expect(seenOf('fresh')).toBe("3 values; 4 of the sampled shards don't have the column");
    expect(jobDocument).not.toHaveProperty('gates');
    await train();
  });
});
