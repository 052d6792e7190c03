import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

// A table published by the list of its live files, as an operator does it.
const folder = temporaryFolder();
let model: string;
let caseNumber = 0;

beforeAll(async () => {
  model = (await trainTinyModel(join(folder, 'model'))).bundleUri;
}, 60_000);

/** A job that reads a list. */
function jobOf(list: string, more: object = {}) {
  const base = join(folder, `case-${caseNumber++}`);
  mkdirSync(base);
  const [file, scores, plan] = ['job.json', 'scores', 'plan.json'].map((name) => join(base, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, JSON.stringify({ input: list, scores, model, gates: GATES_OFF_DOCUMENT, ...more }));
  const planned = (...choice: string[]) => callMain('plan', '--job', file, '--output', plan, ...choice);
  const run = () => callMain('run', '--plan', plan, '--workers', '1', '--json');
  const status = async () => {
    const { stdout } = await callMain('status', '--job', file, '--json');
    const { states } = JSON.parse(stdout) as {
      states: { partition: string; stage: string; reason?: string }[];
    };
    return states.map(({ partition, stage, reason }) => ({ partition, stage, reason }));
  };
  return { scores, plan, planned, run, status };
}

describe('a table of two days', () => {
  it('is planned, run and told of by its list; a list that has changed since the plan stops the run', async () => {
    const table = join(folder, 'table');
    const put = (name: string, date: string, rows: number) => {
      mkdirSync(dirname(join(table, name)), { recursive: true });
      writeFileSync(join(table, name), funnelShard(funnelRows(date, rows), 20));
    };
    put('dt=2024-03-08/live', '2024-03-08', 30);
    put('dt=2024-03-09/live.parquet', '2024-03-09', 40);
    put('dt=2024-03-09/dead.parquet', '2024-03-10', 60);
    mkdirSync(join(table, '_delta_log'));
    const list = join(folder, 'live.txt');
    const relist = (...names: string[]) =>
      writeFileSync(list, names.map((name) => join(table, name)).join('\n'));
    relist('dt=2024-03-08/live', 'dt=2024-03-09/live.parquet');
    const { plan, planned, run, status } = jobOf(list);
    expect(await planned('--from', '2024-03-01')).toMatchObject({ exitCode: 0 });
    const document = JSON.parse(readFileSync(plan, 'utf8'));
    expect(document.partitions).toMatchObject([
      {
        partition: 'dt=2024-03-08',
        fileList: { uri: list },
        parts: [{ rows: 30, spans: [{ shard: 'live' }] }],
      },
      { partition: 'dt=2024-03-09', parts: [{ rows: 40, spans: [{ shard: 'live.parquet' }] }] },
    ]);
    relist('dt=2024-03-08/live', 'dt=2024-03-09/live.parquet', 'dt=2024-03-07/not-there');
    const changed = await run();
    expect(changed.exitCode).not.toBe(0);
    expect(changed.stderr).toMatch(/PLAN_STALE.*\n.*live\.txt: the list of files has changed/);
    relist('dt=2024-03-08/live', 'dt=2024-03-09/live.parquet');
    expect(await run()).toMatchObject({ exitCode: 0 });
    expect(await status()).toMatchObject([{ stage: 'published' }, { stage: 'published' }]);
    relist('dt=2024-03-08/gone', 'dt=2024-03-09/dead.parquet');
    expect(await status()).toEqual([
      {
        partition: 'dt=2024-03-08',
        stage: 'late',
        reason: `line 1: ${join(table, 'dt=2024-03-08/gone')}: there is no such file`,
      },
      {
        partition: 'dt=2024-03-09',
        stage: 'late',
        reason: 'new or changed: dead.parquet; gone: live.parquet',
      },
    ]);
    const missing = await planned('--partition', 'dt=2024-03-08');
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toMatch(/INPUT_LIST_INVALID.*\n.*line 1: .*gone: there is no such file/);
  }, 120_000);
});

const skipped = hasSharedData ? '' : ' (SKIPPED: needs ../shared/data)';
describe.skipIf(!hasSharedData)(`a Delta table of 1,000 rows in files of 3,000${skipped}`, () => {
  it('is published with its 1,000 rows by the list of its live files, of which the log tells', async () => {
    const nights = join(sharedData, 'nights');
    const nightsModel = join(folder, 'nights-model');
    const trained = await callMain(
      ...['train', join(nights, 'config.json'), '--data', join(nights, 'days'), '--output', nightsModel],
    );
    expect(trained.exitCode).toBe(0);
    const table = join(nights, 'delta-table');
    const live = new Map<string, number>();
    for (const name of ['00000000000000000000.json', '00000000000000000001.json']) {
      for (const line of readFileSync(join(table, '_delta_log', name), 'utf8').split('\n')) {
        if (line === '') continue;
        const { add, remove } = JSON.parse(line) as {
          add?: { path: string; size: number };
          remove?: { path: string };
        };
        if (add !== undefined) live.set(add.path, add.size);
        if (remove !== undefined) live.delete(remove.path);
      }
    }
    const entries = [...live].map(([path, size]) => ({
      url: join(table, path),
      meta: { content_length: size },
    }));
    expect(entries).toHaveLength(1);
    const list = join(folder, 'delta.manifest');
    writeFileSync(list, JSON.stringify({ entries }));
    const { scores, planned, run, status } = jobOf(list, { model: nightsModel });
    expect(await planned()).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout } = await run();
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([
      { partition: 'dt=2024-03-04', outcome: { kind: 'published', pointer: { current: { rows: 1000 } } } },
    ]);
    expect(await status()).toMatchObject([{ partition: 'dt=2024-03-04', stage: 'published' }]);
    const resolved = await callMain(
      'resolve',
      '--scores',
      scores,
      '--partition',
      'dt=2024-03-04',
      '--verify',
    );
    expect(resolved.exitCode).toBe(0);
  }, 180_000);
});
