import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { decodeCommentedJson } from '../../lib/base/commentedJson.ts';
import { callMain } from '../cli/callMain.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const table = join(folder, 'table');
const DAYS = ['2024-03-07', '2024-03-08', '2024-03-09'];

function put(name: string, date: string): void {
  mkdirSync(dirname(join(table, name)), { recursive: true });
  writeFileSync(join(table, name), funnelShard(funnelRows(date, 400), 200));
}

function listOf(name: string, ...files: string[]): string {
  const list = join(folder, name);
  writeFileSync(list, files.map((file) => join(table, file)).join('\n'));
  return list;
}

const documentAt = (file: string) =>
  decodeCommentedJson(readFileSync(file), { code: 'JOB_INVALID', file }) as Record<string, unknown>;

beforeAll(() => {
  for (const day of DAYS) put(`dt=${day}/live`, day);
  put('dt=2024-03-10/dead.parquet', '2024-03-10');
  mkdirSync(join(table, '_delta_log'));
});

describe('ncs4cvr init --files', () => {
  it('looks at the live files of a Delta table alone, and proposes documents that train and publish them', async () => {
    const list = listOf('live.txt', ...DAYS.map((day) => `dt=${day}/live`));
    const output = join(folder, 'proposal');
    const found = await callMain('init', '--files', list, '--output', output, '--json');
    expect(found.stderr).toBe('');
    const next = `ncs4cvr train ${output}/training.jsonc --files ${list} --output ${output}/model`;
    expect(JSON.parse(found.stdout)).toMatchObject({
      next,
      shardCount: 3,
      layout: 'dt=%Y-%m-%d',
      days: DAYS,
    });
    expect(await callMain(...next.split(' ').slice(1))).toMatchObject({ exitCode: 0 });
    const job = join(output, 'job.jsonc');
    expect(documentAt(job)).toMatchObject({ input: list, partitions: 'dt=%Y-%m-%d' });
    const plan = join(folder, 'plan.json');
    expect(await callMain('plan', '--job', job, '--output', plan)).toMatchObject({ exitCode: 0 });
    const run = await callMain('run', '--plan', plan, '--workers', '1');
    expect(run.stdout).toMatch(/^dt=2024-03-09: published/);
  }, 60_000);

  it('finds the day of a list of one day, whose files have it above the folder that holds them all', async () => {
    const output = join(folder, 'one-day');
    const list = listOf('one.txt', `dt=${DAYS[0]}/live`);
    const { stdout } = await callMain('init', '--files', list, '--output', output, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ layout: 'dt=%Y-%m-%d', days: [DAYS[0]] });
  });

  it('refuses a list that no job would take for one, and both a list and a folder', async () => {
    const list = listOf('live.list', `dt=${DAYS[0]}/live`);
    const output = join(folder, 'refused');
    const wrong = await callMain('init', '--files', list, '--output', output);
    expect(wrong).toMatchObject({ exitCode: 2 });
    expect(wrong.stderr).toContain('ends with .txt, .json or .manifest');
    const both = await callMain('init', '--files', list, '--sample', table, '--output', output);
    expect(both).toMatchObject({ exitCode: 2 });
    expect(both.stderr).toContain('either --sample or --files is needed');
  });
});
