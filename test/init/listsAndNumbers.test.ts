import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { expect, it } from 'vitest';
import { decodeCommentedJson } from '../../lib/base/commentedJson.ts';
import { callMain } from '../cli/callMain.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const ROWS = 1800;

const integers = (name: string, values: readonly number[]) => pl.Series(name, [...values], pl.Int64);
const isClick = (row: number) => Number((row * 7) % 10 < 4);
const isOrder = (row: number) => isClick(row) * Number((row * 13) % 9 < 3);

it('names lists that no feature can be made of with what to do, and takes lists of floats that are ids', async () => {
  const lists = join(folder, 'lists');
  const rows = Array.from({ length: ROWS }, (_, i) => i);
  // A group of one row each makes lists of what stands in it.
  const nested = pl
    .DataFrame({
      id: integers('id', rows),
      items: rows.map((row) => ({ sku: `s${row % 50}`, price: (row % 7) / 2 })),
      pages: rows.map((row) => [`p${row % 5}`, 'q']),
    })
    .groupBy('id')
    .agg(pl.col('items'), pl.col('pages'));
  const frame = pl
    .DataFrame({
      id: integers('id', rows),
      embedding: rows.map((row) => [Math.sin(row), Math.cos(row)]),
      recent: rows.map((row) => [(row * 31) % 97, (row * 17) % 97, 0.0]),
      click: rows.map(isClick),
      purchase: rows.map(isOrder),
    })
    .withColumn(pl.col('recent').cast(pl.List(pl.Float64)))
    .join(nested, { on: 'id' });
  mkdirSync(lists);
  writeFileSync(join(lists, 'all.parquet'), frame.writeParquet() as Buffer);
  const output = join(folder, 'of-lists');
  const init = await callMain('init', '--sample', lists, '--output', output, '--json');
  expect(init.exitCode, init.stderr).toBe(0);
  const { columns, next, config } = JSON.parse(init.stdout);
  const told = Object.fromEntries(columns.map(({ column, use, seen }: never) => [column, [use, seen]]));
  expect(told).toMatchObject({
    embedding: [
      '-',
      expect.stringMatching(/no ids: where the shard is written, make a column .* embedding\[1\]$/),
    ],
    recent: ['list', expect.stringMatching(/^97 values, 95% of the lists hold at most 3/)],
    items: [
      '-',
      expect.stringMatching(
        /^List<Struct.*transform\(items, x -> x\.sku\), or a row of each struct, UNNEST\(items\)$/,
      ),
    ],
    pages: ['-', expect.stringMatching(/^List<List.*make one list of them: flatten\(pages\)$/)],
  });
  const text = readFileSync(config, 'utf8');
  expect(text).toContain('transform(items, x -> x.sku)');
  const [, ...train] = next.split(' ');
  const trained = await callMain(...train);
  expect(trained.exitCode, trained.stderr).toBe(0);
  const document = decodeCommentedJson(Buffer.from(text), { code: 'X', file: config }) as {
    contract: { features: object[] };
  };
  // What somebody may try who knows paths of structs.
  const feature = {
    kind: 'list',
    column: 'items.sku',
    table: { type: 'string', vocabulary: {} },
    maxLength: 5,
  };
  document.contract.features.push({ ...feature, keep: 'first' });
  const byPath = join(folder, 'by-path.json');
  writeFileSync(byPath, JSON.stringify(document));
  const refused = await callMain('train', byPath, '--data', lists, '--output', join(folder, 'no-model'));
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toMatch(
    /SHARD_COLUMN_MISSING: .*column 'items\.sku': no such column: .*transform\(items, x -> x\.sku\)/,
  );
}, 120_000);

it('a table of nothing but numbers goes from init to scores, and so does a contract of nothing but numbers', async () => {
  const numbers = join(folder, 'numbers');
  const rows = Array.from({ length: ROWS }, (_, i) => i);
  const frame = pl.DataFrame({
    id: integers('id', rows),
    price: rows.map((row) => ((row * 17) % 1000) / 8),
    weight: rows.map((row) => (row % 13 === 0 ? null : Math.sqrt(row % 777))),
    click: rows.map(isClick),
    purchase: rows.map(isOrder),
  });
  mkdirSync(numbers);
  writeFileSync(join(numbers, 'all.parquet'), frame.writeParquet() as Buffer);
  const output = join(folder, 'of-numbers');
  const init = await callMain('init', '--sample', numbers, '--output', output, '--json');
  const { config } = JSON.parse(init.stdout);
  const document = decodeCommentedJson(readFileSync(config), { code: 'X', file: config }) as {
    contract: { features: { kind: string; column: string }[] };
  };
  const { features } = document.contract;
  expect(features.map(({ kind, column }) => [kind, column])).toEqual([
    ['bucketed', 'price'],
    ['bucketed', 'weight'],
  ]);
  const numeric = features.map(({ column }) => ({ kind: 'numeric', column }));
  const plain = join(output, 'numeric.json');
  writeFileSync(
    plain,
    JSON.stringify({ ...document, contract: { ...document.contract, features: numeric } }),
  );
  for (const [name, path] of [
    ['bucketed', config],
    ['numeric', plain],
  ] as const) {
    const model = join(output, name);
    const trained = await callMain('train', path, '--data', numbers, '--output', model);
    expect(trained.exitCode, trained.stderr).toBe(0);
    const scored = await callMain(
      'score',
      '--model',
      model,
      '--input',
      numbers,
      '--output',
      join(output, `${name}-scores`),
    );
    expect(scored.exitCode, scored.stderr).toBe(0);
  }
});
