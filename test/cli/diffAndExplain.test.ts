import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

// What another model would change: as a shadow, as a canary, after it was published; and where one row's scores come from.
const folder = temporaryFolder();
const input = join(folder, 'input');
const scores = join(folder, 'scores');
const plan = join(folder, 'plan.json');
const [day, canary] = ['dt=2024-03-08', 'dt=2024-03-09'];
let live: string;
let candidate: string;

const planWith = (model: string, ...more: readonly string[]) =>
  callMain(
    ...['plan', '--model', model, '--input', input, '--scores', scores, '--output', plan],
    ...['--target-rows', '200', '--from', '2024-03-08', ...more],
  );
const run = (...more: readonly string[]) => callMain('run', '--plan', plan, ...more);
const publishedBits = async (partition: string) => {
  const { stdout } = await callMain('resolve', '--scores', scores, '--partition', partition);
  return new Map(
    stdout
      .trim()
      .split('\n')
      .flatMap((file) => [...scoreBits(file)]),
  );
};
/** What a file-by-file `score` of a day gives with a bundle. */
const scored = async (model: string, partition: string) => {
  const output = join(folder, `plain-${model.length}-${partition}`);
  const { exitCode } = await callMain(
    'score',
    '--model',
    model,
    '--input',
    join(input, partition),
    '--output',
    output,
  );
  expect(exitCode).toBe(0);
  return scoreBits(join(output, 'a.arrow'));
};

beforeAll(async () => {
  const config = { contract: { rowKeys: ['impression_id', 'hour'] } };
  ({ bundleUri: live } = await trainTinyModel(join(folder, 'one'), { config }));
  ({ bundleUri: candidate } = await trainTinyModel(join(folder, 'candidate'), {
    config: { ...config, modelVersion: 'tiny-2', training: { seed: 9 } },
  }));
  for (const partition of [day, canary]) {
    mkdirSync(join(input, partition), { recursive: true });
    const rows = funnelRows(partition.slice(3), 400);
    writeFileSync(join(input, partition, 'a.parquet'), funnelShard(rows, 100));
  }
  await planWith(live);
  await run();
}, 120_000);

describe('operators', () => {
  it('run a shadow: the candidate scores beside the live model, nothing of it is published, and a diff is shown', async () => {
    const before = filesBelow(scores);
    const bytesOf = () => before.map((name) => readFileSync(join(scores, name)).toString('base64'));
    const bytes = bytesOf();
    await planWith(live);
    const { exitCode, stdout } = await run('--shadow', candidate, '--group', 'hour');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^dt=2024-03-08: in the shadow, 2 parts scored, 400 rows of tiny-2, generation 1$/m,
    );
    const [, root] = /^scored below (\S+); in (\S+) nothing was published$/m.exec(stdout)!;
    expect(stdout).toMatch(/^from +tiny-1 .*\nto +tiny-2 /m);
    expect(stdout).toMatch(/^Kendall's tau-b, mean of 2\d +0\.\d+$/m);
    // The live root has the same objects as before, and below a hidden folder those of the shadow.
    expect(bytesOf()).toEqual(bytes);
    const added = filesBelow(scores).filter((name) => !before.includes(name));
    expect(added.filter((name) => !name.startsWith('_shadow/') && !name.startsWith('plans/'))).toEqual([]);
    const status = await callMain('status', '--scores', scores);
    expect(status.stdout).not.toContain('tiny-2');
    // Asked for the shadow's root itself, nobody may take it for what readers see.
    const inShadow = await callMain('status', '--scores', root!);
    expect(inShadow.stdout).toMatch(/^of shadow runs, which no reader sees:\ndt=2024-03-08 {2}tiny-2 /);
    const shadowJob = join(folder, 'shadow-job.json');
    writeFileSync(shadowJob, JSON.stringify({ input, scores: root, model: candidate }));
    const states = await callMain('status', '--job', shadowJob);
    expect(states.stdout).toMatch(/^dt=2024-03-08 {2}shadowed {2}400 rows of tiny-2/m);
    expect(states.stdout).not.toContain('published');
    // Each as `score` gives it.
    expect(isDeepStrictEqual(await publishedBits(day), await scored(live, day))).toBe(true);
    const shadow = await callMain('resolve', '--scores', root!, '--partition', day);
    const shadowed = new Map(
      shadow.stdout
        .trim()
        .split('\n')
        .flatMap((file) => [...scoreBits(file)]),
    );
    expect(isDeepStrictEqual(shadowed, await scored(candidate, day))).toBe(true);
    // Again, as JSON: all is done, and the diff is that of the two roots.
    const again = JSON.parse((await run('--shadow', candidate, '--group', 'hour', '--json')).stdout);
    expect(again.outcomes).toMatchObject([{ partsScored: 0 }, { partsScored: 0 }]);
    const where = ['--scores', scores, '--against', root!, '--partition', day, '--group', 'hour'];
    const found = JSON.parse((await callMain('diff', ...where, '--json')).stdout);
    expect(again.diffs[0]).toEqual(found);
    expect(found).toMatchObject({ rows: { inBoth: 400, onlyFrom: 0, onlyTo: 0 }, group: 'hour' });
  }, 180_000);

  it('are refused a shadow in the root of the plan, and options that mean nothing without one', async () => {
    const same = await run('--shadow', candidate, '--shadow-scores', `${scores}/`);
    expect(same).toMatchObject({ exitCode: 1, stdout: '' });
    expect(same.stderr).toMatch(/^error: PLAN_SHADOW_IS_LIVE: /);
    expect(await run('--group', 'hour')).toMatchObject({ exitCode: 2, stdout: '' });
    const machine = 'arn:aws:states:eu-west-1:123456789012:stateMachine:x';
    expect(await run('--shadow', candidate, '--state-machine', machine)).toMatchObject({ exitCode: 2 });
  }, 60_000);

  it('publish a canary: a named partition from the candidate, all others stay, and see what it changed', async () => {
    const others = await publishedBits(day);
    const [firstTime] = [await callMain('diff', '--scores', scores, '--partition', canary)];
    expect(firstTime.stderr).toMatch(/^error: PUBLISH_NO_HISTORY: .*published once/);
    const args = ['plan', '--model', candidate, '--input', input, '--scores', scores, '--output', plan];
    await callMain(...args, '--partition', canary, '--target-rows', '200');
    expect((await run()).stdout).toBe(
      'dt=2024-03-09: published, 2 parts scored, 400 rows of tiny-2, generation 2\n',
    );
    expect(isDeepStrictEqual(await publishedBits(canary), await scored(candidate, canary))).toBe(true);
    expect(isDeepStrictEqual(await publishedBits(day), others)).toBe(true);
    const html = join(folder, 'diff.html');
    const { exitCode, stdout } = await callMain(
      ...['diff', '--scores', scores, '--partition', canary, '--group', 'hour', '--slice', 'hour'],
      ...['--top', '3', '--movers', '2', '--rank-by', 'pctr', '--html', html],
    );
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^from +tiny-1 .*\nto +tiny-2 /m);
    expect(stdout).toContain('Ranking by pctr, of rows of the same hour');
    expect(stdout).toContain(`page written to ${html}\n`);
    expect(readFileSync(html, 'utf8')).toMatch(
      /^<!doctype html>[\s\S]*top-3 overlap, mean[\s\S]*<\/html>\n$/,
    );
    const back = await callMain(
      'rollback',
      '--scores',
      scores,
      '--partition',
      canary,
      '--reason',
      'canary stopped',
    );
    expect(back.stdout).toContain('dt=2024-03-09: tiny-1, 400 rows, generation 3');
  }, 120_000);

  it('explain one row, and are told what it lacks', async () => {
    const [row] = funnelRows('2024-03-08', 1);
    const where = ['explain', '--scores', scores, '--partition', day];
    const key = ['--key', `impression_id=${row!.impression_id}`];
    const { exitCode, stdout } = await callMain(...where, ...key, '--key', `hour=${row!.hour}`, '--why');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      new RegExp(`^row +impression_id = ${row!.impression_id}, hour = ${row!.hour}$`, 'm'),
    );
    expect(stdout).toMatch(/^scored again +the same bits$/m);
    expect(stdout).toMatch(/^if missing +pctr +change +pcvr +change$/m);
    const json = JSON.parse((await callMain(...where, ...key, '--json')).stdout);
    expect(json).toMatchObject({ matches: 1, source: { isSame: true }, publication: { partition: day } });
    expect((await callMain(...where, '--key', 'impression_id=7')).stderr).toMatch(/^error: EXPLAIN_NO_ROW: /);
    const unnamed = await callMain(...where, '--key', '7');
    expect(unnamed.stderr).toMatch(
      /^error: EXPLAIN_KEY_INVALID: .*\(expected impression_id=VALUE or hour=VALUE, found 7\)/,
    );
    expect(await callMain(...where, '--key', '7', '--key', '8')).toMatchObject({ exitCode: 2 });
    expect(await callMain(...where)).toMatchObject({ exitCode: 2 });
  }, 60_000);

  it('are told which partition may be meant by one that was never published, and never another day', async () => {
    const wanted = ['--scores', scores, '--partition'];
    for (const [partition, meant] of [
      ['dt=2024-3-8', day],
      ['DT=2024-03-09', canary],
      ['date=2024-03-08', day],
      ['dt=2024-03-18', undefined],
    ] as const) {
      const commands = [['explain', ...wanted, partition, '--key', 'hour=3']];
      if (partition === 'dt=2024-3-8') {
        for (const command of ['resolve', 'diff']) commands.push([command, ...wanted, partition]);
        commands.push(['report', ...wanted, partition, '--output', join(folder, 'none.html')]);
        commands.push(['export-scores', ...wanted, partition, '--output', join(folder, 'none')]);
      }
      for (const args of commands) {
        const { exitCode, stderr } = await callMain(...args);
        expect(exitCode).toBe(1);
        expect(stderr).toContain('PUBLISH_NOTHING');
        if (meant === undefined) expect(stderr).not.toContain('did you mean');
        else expect(stderr).toContain(`published for this partition; did you mean ${meant}?`);
      }
    }
  });

  it('are told by the exit code when a row no longer has the scores that were published', async () => {
    const [row] = funnelRows('2024-03-08', 1);
    const { stdout } = await callMain('resolve', '--scores', scores, '--partition', day);
    const part = stdout.split('\n')[0]!;
    const bytes = readFileSync(part);
    const pctr = Buffer.alloc(4);
    pctr.writeUInt32LE(Number.parseInt(scoreBits(part).get(row!.impression_id)!.split(' ')[0]!, 16));
    bytes[bytes.indexOf(pctr)]! ^= 1;
    writeFileSync(part, bytes);
    const key = `impression_id=${row!.impression_id}`;
    const found = await callMain('explain', '--scores', scores, '--partition', day, '--key', key);
    expect(found.exitCode).toBe(1);
    expect(found.stdout).toMatch(/^scored again +OTHER SCORES: /m);
  }, 60_000);
});
