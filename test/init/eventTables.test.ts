import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { describe, expect, it } from 'vitest';
import { decodeCommentedJson } from '../../lib/base/commentedJson.ts';
import { callMain } from '../cli/callMain.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const ROWS = 600;

describe('ncs4cvr init on a table of events as warehouses have them', () => {
  const events = join(folder, 'events');
  const output = join(folder, 'of-events');
  const HOUR = 3_600_000;
  const timesOf = (name: string, millis: readonly (number | null)[]) =>
    pl
      .Series(name, [...millis], pl.Float64)
      .cast(pl.Int64)
      .cast(pl.Datetime('ms'));

  function writeEvents(day: string, from: number): void {
    const rows = Array.from({ length: ROWS }, (_, i) => from + i);
    const event = rows.map((row) =>
      (row * 7) % 10 >= 4 ? 'view' : (row * 13) % 9 < 3 ? 'purchase' : 'click',
    );
    const midnight = Date.parse(day);
    const frame = pl.DataFrame({
      request_id: rows.map((row) => `r-${row}`),
      event,
      // As pandas writes integers with nulls.
      user_id: rows.map((row) => (row % 19 === 0 ? null : (row * 31) % 97)),
      item: rows.map((row) => ({ brand_id: (row * 5) % 23, maker: { country: `c${row % 4}` } })),
    });
    const written = frame.withColumns(
      timesOf(
        'shown_at',
        rows.map((row) => midnight + ((row * 5) % 24) * HOUR + row),
      ),
      timesOf(
        'published_at',
        rows.map((row) => midnight - (row % 40) * 24 * HOUR),
      ),
      timesOf(
        'clicked_at',
        rows.map((row, i) => (event[i] === 'view' ? null : midnight + row * 1000)),
      ),
    );
    mkdirSync(join(events, `dt=${day}`), { recursive: true });
    writeFileSync(join(events, `dt=${day}`, 'part-0.parquet'), written.writeParquet() as Buffer);
  }

  it('proposes labels by values, fields of structs, ids in floats, hours and ages, which train and score', async () => {
    for (const [index, day] of ['2026-03-01', '2026-03-02', '2026-03-03'].entries())
      writeEvents(day, index * ROWS);
    const init = await callMain('init', '--sample', events, '--output', output, '--json');
    expect(init.stderr).toBe('');
    const { columns, rowKeys, config, next } = JSON.parse(init.stdout);
    expect(rowKeys).toEqual(['request_id']);
    const uses = columns.map(({ column, use }: never) => [column, use]);
    expect(uses).toEqual([
      ['request_id', 'key'],
      ['event', '-'],
      ['user_id', 'categorical'],
      ['item', '-'],
      ['shown_at', 'categorical'],
      ['published_at', 'bucketed'],
      ['clicked_at', '-'],
      ['item.brand_id', 'categorical'],
      ['item.maker', '-'],
      ['item.maker.country', 'categorical'],
    ]);
    const seen = Object.fromEntries(columns.map(({ column, seen }: never) => [column, seen]));
    expect(seen.event).toBe('label: click and conversion');
    expect(seen.item).toBe('its fields are columns, by their paths');
    expect(seen.clicked_at).toMatch(/^leaks: alone it tells event with an AUC of 1\.000/);
    expect(seen.user_id).toMatch(/^97 values, all of them whole numbers/);
    const document = decodeCommentedJson(readFileSync(config), { code: 'X', file: config }) as {
      contract: { features: object[] };
    };
    expect(document).toMatchObject({
      labels: {
        click: { column: 'event', values: { click: 1, purchase: 1, view: 0 } },
        conversion: { column: 'event', values: { click: 0, purchase: 1, view: 0 } },
        user: 'user_id',
      },
    });
    expect(document.contract.features).toMatchObject([
      { column: 'user_id', table: { type: 'int' } },
      { column: 'shown_at', name: 'shown_at_hour', from: 'hour', table: { type: 'int' } },
      { column: 'published_at', name: 'published_at_age', from: 'ageDays' },
      { column: 'item.brand_id', table: { type: 'int' } },
      { column: 'item.maker.country', table: { type: 'string' } },
    ]);
    const [, ...train] = next.split(' ');
    const trained = await callMain(...train);
    expect(trained.exitCode, trained.stderr).toBe(0);
    const [model, scores] = [join(output, 'model'), join(output, 'files')];
    const scored = await callMain('score', '--model', model, '--input', events, '--output', scores);
    expect(scored.exitCode, scored.stderr).toBe(0);
  });

  it('refuses keys of floats with a way out, and suggests a near name', async () => {
    const refusedBy = async (keys: string) =>
      (await callMain('init', '--sample', events, '--output', join(folder, 'no'), '--keys', keys)).stderr;
    expect(await refusedBy('user_id')).toMatch(/INIT_NO_KEY.*CAST\(user_id AS BIGINT\)/s);
    expect(await refusedBy('requestId')).toMatch(/did you mean "request_id"\?/);
  });
});
