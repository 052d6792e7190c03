import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pl from 'nodejs-polars';
import { beforeAll, describe, expect, it } from 'vitest';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const scores = join(folder, 'scores');
const job = join(folder, 'job.json');
const [first, last] = ['date=20240308', 'date=20240309'] as const;

const exportScores = (...args: readonly string[]) => callMain('export-scores', ...args);

beforeAll(async () => {
  const { bundleUri } = await trainTinyModel(join(folder, 'model'));
  const input = join(folder, 'input');
  for (const [partition, rows] of [
    [first, 300],
    [last, 200],
  ] as const) {
    mkdirSync(join(input, partition), { recursive: true });
    writeFileSync(join(input, partition, 'a.parquet'), funnelShard(funnelRows('2024-03-09', rows), 100));
  }
  const partitions = 'date=%Y%m%d';
  const document = {
    input,
    scores,
    model: bundleUri,
    partitions,
    targetRows: 100,
    gates: GATES_OFF_DOCUMENT,
  };
  writeFileSync(job, JSON.stringify(document));
  const plan = join(folder, 'plan.json');
  await callMain('plan', '--job', job, '--from', '2024-03-08', '--output', plan);
  const { exitCode, stderr } = await callMain('run', '--plan', plan);
  expect(exitCode, stderr).toBe(0);
}, 120_000);

describe('export-scores', () => {
  it('copies every published partition into a folder of its name, says what it did, and nothing when repeated', async () => {
    const output = join(folder, 'all');
    const args = ['--scores', scores, '--output', output];
    const line = (partition: string, outcome: string, rows: number, files: string) =>
      `${partition}: ${outcome}, ${rows} rows of tiny-1 in ${files}, ${join(output, partition)}\n`;
    const done = await exportScores(...args);
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    const lines = (outcome: string, { stdout }: { readonly stdout: string }) => {
      const files = [...stdout.matchAll(/ in (\d+ files?),/g)].map(([, text]) => text!);
      expect(stdout).toBe(line(first, outcome, 300, files[0]!) + line(last, outcome, 200, files[1]!));
    };
    lines('copied', done);
    const rowsBelow = (partition: string) =>
      readdirSync(join(output, partition))
        .filter((name) => name.endsWith('.parquet'))
        .map((name) => pl.readParquet(readFileSync(join(output, partition, name))).height);
    expect([first, last].map((partition) => rowsBelow(partition).reduce((sum, rows) => sum + rows))).toEqual([
      300, 200,
    ]);
    expect(rowsBelow(first).length).toBeGreaterThan(1);
    lines('unchanged', await exportScores(...args));
  });

  it('with a job copies the days of a range by its layout; with --json stdout is one object', async () => {
    const output = join(folder, 'range');
    const done = await exportScores('--job', job, '--from', '2024-03-09', '--output', output, '--json');
    expect(done).toMatchObject({ exitCode: 0, stderr: '' });
    const { partitions } = JSON.parse(done.stdout);
    expect(partitions).toEqual([
      {
        partition: last,
        outcome: 'copied',
        folder: join(output, last),
        files: expect.arrayContaining([expect.stringMatching(/^[0-9a-f]{64}\.parquet$/)]),
        manifest: expect.stringMatching(/^[0-9a-f]{64}$/),
        model: expect.objectContaining({ version: 'tiny-1' }),
        rows: 200,
      },
    ]);
    expect(readdirSync(output)).toEqual([last]);
  });

  it('without a job asks for one where no name is of the usual layout, and counts what it has not named', async () => {
    const mixed = join(folder, 'mixed');
    cpSync(scores, mixed, { recursive: true });
    const pointer = JSON.parse(readFileSync(join(mixed, 'pointers', `${last}.json`), 'utf8'));
    for (let region = 0; region < 6; region++) {
      const partition = `region=${region}/${last}`;
      mkdirSync(join(mixed, 'pointers', `region=${region}`));
      writeFileSync(join(mixed, 'pointers', `${partition}.json`), JSON.stringify({ ...pointer, partition }));
    }
    const args = ['--scores', mixed, '--from', '2024-01-01', '--output', join(folder, 'mixed-copy')];
    const none = await exportScores(...args);
    expect(none).toMatchObject({ exitCode: 1, stdout: '' });
    expect(none.stderr).toMatch(/--job names the layout.* and 3 more\)/);
    const mixedJob = join(folder, 'mixed.json');
    writeFileSync(mixedJob, JSON.stringify({ ...JSON.parse(readFileSync(job, 'utf8')), scores: mixed }));
    const some = await exportScores('--job', mixedJob, ...args.slice(2));
    expect(some).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^date=20240308: .*\ndate=20240309: /),
    });
    expect(some.stderr).toMatch(/^note: left out, not of date=%Y%m%d: region=1.*, and 1 more\n$/);
  });

  it('copies a named partition; one that was never published fails with what to do', async () => {
    const output = join(folder, 'one');
    const at = (partition: string) =>
      exportScores('--scores', scores, '--partition', partition, '--output', output);
    expect(await at(first)).toMatchObject({ exitCode: 0, stderr: '' });
    expect(readdirSync(output)).toEqual([first]);
    const none = await at('date=19990101');
    expect(none).toMatchObject({ exitCode: 1, stdout: '' });
    expect(none.stderr).toMatch(/^error: PUBLISH_NOTHING: .*\nwhat to do: status shows what there is\n$/);
  });

  it('copies the other partitions when one fails, names it, and ends with exit code 1', async () => {
    const damaged = join(folder, 'damaged');
    cpSync(scores, damaged, { recursive: true });
    rmSync(join(damaged, 'parts', first), { recursive: true });
    const output = join(folder, 'some');
    const done = await exportScores('--scores', damaged, '--output', output, '--json');
    expect(done.exitCode).toBe(1);
    expect(done.stderr).toMatch(/^error: STORAGE_NOT_FOUND: /);
    expect(JSON.parse(done.stdout).partitions).toEqual([
      { partition: first, outcome: 'failed', error: expect.objectContaining({ code: 'STORAGE_NOT_FOUND' }) },
      expect.objectContaining({ partition: last, outcome: 'copied', rows: 200 }),
    ]);
    expect([first, last].map((partition) => existsSync(join(output, partition, '_SUCCESS')))).toEqual([
      false,
      true,
    ]);
  });

  it.each([
    ['no root', [], 2, /--scores or --job must be given/],
    ['two roots', ['--scores', 's', '--job', 'j'], 2, /cannot be used with option/],
    [
      'a partition and a range',
      ['--scores', 's', '--partition', 'p', '--to', '2024-03-08'],
      2,
      /cannot be used/,
    ],
    ['a root that is not there', ['--scores', '/nowhere/at/all'], 1, /^error: PUBLISH_NO_ROOT: /],
    [
      'days without scores',
      ['--job', job, '--to', '2024-03-07'],
      1,
      /^error: PUBLISH_NOTHING: .*days up to 2024-03-07 of date=%Y%m%d, found date=20240308, date=20240309\)\n/,
    ],
  ])('given %s, fails with the reason and writes nothing', async (_title, args, exitCode, says) => {
    const output = join(folder, 'nothing');
    const done = await exportScores(...args, '--output', output);
    expect(done).toMatchObject({ exitCode, stdout: '' });
    expect(done.stderr).toMatch(says);
    expect(existsSync(output)).toBe(false);
  });
});
