import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';
import { mainScript, run as runProgram } from './runMain.ts';

// Plan, run, look, roll back, clean up: the commands as operators type them.
const folder = temporaryFolder();
const input = join(folder, 'input');
const scores = join(folder, 'scores');
const plan = join(folder, 'plan.json');
const job = join(folder, 'job.json');
let models: readonly string[];

function write(path: string, date: string, rows: number): void {
  mkdirSync(join(input, path, '..'), { recursive: true });
  writeFileSync(join(input, path), funnelShard(funnelRows(date, rows), 100));
}
const planWith = (model: number, ...more: readonly string[]) =>
  callMain(...['plan', '--model', models[model]!, '--job', job, '--output', plan, ...more]);
const run = () => callMain('run', '--plan', plan);
const resolved = async (partition: string) => {
  const { exitCode, stdout } = await callMain('resolve', '--scores', scores, '--partition', partition);
  expect(exitCode).toBe(0);
  return stdout.trim().split('\n');
};
/** Bits of all rows of some prediction files. */
const bitsOf = (files: readonly string[]) => new Map(files.flatMap((file) => [...scoreBits(file)]));

beforeAll(async () => {
  const first = await trainTinyModel(join(folder, 'one'));
  const second = await trainTinyModel(join(folder, 'two'), {
    config: { modelVersion: 'tiny-2', training: { seed: 9 } },
  });
  models = [first.bundleUri, second.bundleUri];
  // These nights are no real ones: gatedPartition.test.ts has what gates say of those.
  const document = { input, scores, model: models[0], targetRows: 200, gates: GATES_OFF_DOCUMENT };
  writeFileSync(job, JSON.stringify(document));
  write('dt=2024-03-08/a.parquet', '2024-03-08', 500);
  write('dt=2024-03-09/a.parquet', '2024-03-09', 500);
  write('dt=2024-03-09/b.parquet', '2024-03-10', 150);
}, 60_000);

describe('operators', () => {
  it('plan the newest partition, run the plan, and resolve the rows that `score` gives', async () => {
    const planned = await planWith(0);
    expect(planned).toMatchObject({ exitCode: 0, stderr: '' });
    expect(planned.stdout).toMatch(
      /^dt=2024-03-09 {2}2 shards {2}650 rows {2}[\d,]+ bytes {2}4 parts; complete\n/,
    );
    expect(planned.stdout).toMatch(
      /to score with tiny-1: 650 rows; on Lambda about \d+\.\d minutes and less than \$0\.01 /,
    );
    expect((await run()).stdout).toBe(
      'dt=2024-03-09: published, 4 parts scored, 650 rows of tiny-1, generation 1\n',
    );
    const args = [
      '--model',
      models[0]!,
      '--input',
      join(input, 'dt=2024-03-09'),
      '--output',
      join(folder, 'plain'),
    ];
    expect((await callMain('score', ...args)).exitCode).toBe(0);
    const plain = bitsOf(['a', 'b'].map((name) => join(folder, 'plain', `${name}.arrow`)));
    expect(plain.size).toBe(650);
    expect(isDeepStrictEqual(bitsOf(await resolved('dt=2024-03-09')), plain)).toBe(true);
  });

  it('plan with the manifest of a bundle alone, and with other prices', async () => {
    const bundle = join(folder, 'manifest-only');
    mkdirSync(bundle);
    cpSync(join(models[0]!, 'bundle.json'), join(bundle, 'bundle.json'));
    const given = JSON.parse(readFileSync(new URL('../../infra/prices.json', import.meta.url), 'utf8'));
    const prices = join(folder, 'prices.json');
    const planAt = async (document: object) => {
      writeFileSync(prices, JSON.stringify(document));
      const where = ['--model', bundle, '--input', input, '--scores', join(folder, 'priced')];
      return callMain('plan', ...where, '--prices', prices);
    };
    const dear = {
      ...given,
      region: 'eu-south-2',
      date: '2027-01-31',
      dollarsPerThousandStateTransitions: 100,
    };
    expect((await planAt({ ...dear, secondsPerRun: 300, secondsPerColdStart: 0 })).stdout).toMatch(
      // Of the run eight transitions, of its partition seven, of its unit four.
      / about 5\.0 minutes and \$1\.90 \(arm64 in eu-south-2, prices of 2027-01-31\)\nthe model takes about \d+ MB of a score function's [\d,]+ MB\n$/,
    );
    const wrong = await planAt({ ...given, memory: 1 });
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toMatch(
      /^error: PRICES_INVALID: .*\n {2}- document: Unrecognized key: "memory"\nwhat to do: edit it\n$/,
    );
  });

  it('see what a second plan skips and why, and that running it changes nothing', async () => {
    const planned = await planWith(0, '--from', '2024-03-08', '--to', '2024-03-09');
    expect(planned.stdout).toContain('4 parts, 4 done already for the same input, model and contract');
    expect(planned.stdout).toContain('to score with tiny-1: 500 rows');
    const before = filesBelow(scores).length;
    expect((await run()).stdout).toBe(
      'dt=2024-03-08: published, 3 parts scored, 500 rows of tiny-1, generation 1\n' +
        'dt=2024-03-09: unchanged, 0 parts scored, 650 rows of tiny-1, generation 1\n',
    );
    // Three parts with their fingerprints and receipts, a manifest, its audit document and a pointer; and the run's record.
    expect(filesBelow(scores).length).toBe(before + 13);
  });

  it('are told by `resolve --verify` and `status --verify` of a part with other bytes than were published', async () => {
    const args = ['resolve', '--scores', scores, '--partition', 'dt=2024-03-09'];
    const plain = await callMain(...args);
    expect(await callMain(...args, '--verify')).toEqual({ ...plain, exitCode: 0, stderr: '' });
    const status = ['status', '--scores', scores, '--verify'];
    const states = await callMain(...status);
    expect(states).toMatchObject({ exitCode: 0, stderr: '' });
    const part = plain.stdout.split('\n')[1]!;
    const whole = readFileSync(part);
    const damaged = Buffer.from(whole);
    damaged[damaged.length >> 1]! ^= 1;
    writeFileSync(part, damaged);
    // Only who asks for it has the parts read.
    expect(await callMain(...args)).toEqual(plain);
    expect(JSON.parse((await callMain(...status.slice(0, 3), '--json')).stdout).pointers).toHaveLength(2);
    const { exitCode, stdout, stderr } = await callMain(...args, '--verify');
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: PUBLISH_PART_DAMAGED: .*1 of 4 parts of dt=2024-03-09 .*\n {2}- parts\/\S+\.arrow: expected sha256 \S+, found \S+\nwhat to do: delete the named parts .*\n$/s,
    );
    const told = await callMain(...status, '--json');
    expect(JSON.parse(told.stdout)).toMatchObject({
      error: { code: 'PUBLISH_PART_DAMAGED', problems: [expect.stringContaining('parts/dt=2024-03-09/')] },
    });
    const found = await callMain(...status);
    expect(found).toMatchObject({ exitCode: 1, stdout: states.stdout });
    expect(found.stderr).toMatch(
      /^error: PUBLISH_PART_DAMAGED: .*1 of 2 partitions .*\n {2}- parts\/dt=2024-03-09\/\S+: expected sha256 .*\nwhat to do: delete the named parts .*\n$/s,
    );
    writeFileSync(part, whole);
  });

  it('are refused a plan whose input has changed since, with the shard and both versions', async () => {
    await planWith(0, '--partition', 'dt=2024-03-09');
    utimesSync(join(input, 'dt=2024-03-09/b.parquet'), 1_700_000_000, 1_700_000_000);
    const { exitCode, stderr } = await run();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^error: PLAN_STALE: .*plan\.json.*\n {2}- .*b\.parquet: planned for version \S+, found \S+\nwhat to do: plan again.*\n$/s,
    );
  });

  it('are told that what a plan took for done is gone, and not that the input has changed; planned again, it runs', async () => {
    const own = join(folder, 'emptied');
    const ownJob = join(folder, 'emptied.json');
    const ownPlan = join(folder, 'emptied-plan.json');
    writeFileSync(ownJob, JSON.stringify({ ...JSON.parse(readFileSync(job, 'utf8')), scores: own }));
    const planOwn = () =>
      callMain(...['plan', '--job', ownJob, '--partition', 'dt=2024-03-08', '--output', ownPlan]);
    const runOwn = () => callMain('run', '--plan', ownPlan);
    await planOwn();
    expect((await runOwn()).stdout).toContain('published, 3 parts scored');
    await planOwn();
    rmSync(own, { recursive: true });
    const told = '3 parts are missing: done when this was planned, and gone from the output root since';
    expect(await runOwn()).toMatchObject({
      exitCode: 1,
      stdout: `dt=2024-03-08: incomplete, 0 parts scored, ${told}\nwhat to do: plan again\n`,
    });
    expect((await callMain('status', '--scores', own)).stdout).toContain(told);
    await planOwn();
    expect((await runOwn()).stdout).toContain('published, 3 parts scored');
  });

  it('backfill with another model, roll back, are held, and go on', async () => {
    await planWith(0, '--partition', 'dt=2024-03-08');
    const former = join(folder, 'former.json');
    cpSync(plan, former);
    await planWith(1, '--from', '2024-03-08');
    expect(
      (await run()).stdout.match(/published, \d parts scored, \d+ rows of tiny-2, generation 2/g),
    ).toHaveLength(2);
    expect(await callMain('run', '--plan', former)).toMatchObject({
      exitCode: 3,
      stdout: expect.stringMatching(
        /^dt=2024-03-08: superseded, \d parts? scored: tiny-2 was published .*\nwhat to do: plan again if this model is still wanted\n$/,
      ),
    });
    const second = bitsOf(await resolved('dt=2024-03-08'));
    const back = await callMain(
      ...['rollback', '--scores', scores, '--partition', 'dt=2024-03-08', '--reason', 'pCVR too high'],
    );
    expect(back.stdout).toContain('dt=2024-03-08: tiny-1, 500 rows, generation 3; held until a run lifts it');
    const first = bitsOf(await resolved('dt=2024-03-08'));
    expect([...first.keys()]).toEqual([...second.keys()]);
    expect(isDeepStrictEqual(first, second)).toBe(false);
    await planWith(1, '--partition', 'dt=2024-03-08');
    const held = await run();
    expect(held).toMatchObject({
      exitCode: 3,
      stdout:
        'dt=2024-03-08: held, nothing scored: pCVR too high\nwhat to do: once it is right again, plan with --lift-hold\n',
    });
    const status = await callMain('status', '--scores', scores);
    expect(status.stdout).toMatch(
      /^dt=2024-03-08 {2}tiny-1 .* HELD: pCVR too high\ndt=2024-03-09 {2}tiny-2 .*\nnewest published day: 2024-03-09\n$/,
    );
    const lifting = await planWith(1, '--partition', 'dt=2024-03-08', '--lift-hold');
    expect(lifting.stdout).toContain('held (pCVR too high): this plan lifts the hold\n');
    expect((await run()).stdout).toContain('published, 0 parts scored, 500 rows of tiny-2, generation 4');
  });

  it('clean up what no pointer reaches: old parts are condemned first and deleted a day later, nothing else', async () => {
    // A publication that no pointer names any more.
    write('dt=2024-03-08/a.parquet', '2024-03-12', 300);
    await planWith(1, '--partition', 'dt=2024-03-08');
    await run();
    await callMain('rollback', '--scores', scores, '--partition', 'dt=2024-03-08', '--reason', 'x');
    const pointer = join(scores, 'pointers/dt=2024-03-08.json');
    const document = JSON.parse(readFileSync(pointer, 'utf8'));
    writeFileSync(pointer, JSON.stringify({ ...document, history: document.history.slice(1) }));
    const all = filesBelow(scores);
    const age = (files: readonly string[], days: number) => {
      const then = new Date(Date.now() - days * 86_400_000);
      for (const file of files) utimesSync(join(scores, file), then, then);
    };
    const gc = (...more: readonly string[]) => callMain('gc', '--scores', scores, '--days', '3', ...more);
    expect((await gc()).stdout).toBe('');
    age(all, 5);
    const listed = await gc();
    expect(listed.stderr).toMatch(/ bytes would be deleted; 2 parts may be deleted a day later\n$/);
    // Audit documents of states that no history names, and records of runs.
    const audits = listed.stdout.trim().split('\n');
    for (const uri of audits) expect(uri).toMatch(/\/(audits|run-records)\//);
    expect(filesBelow(scores)).toEqual(all);
    expect((await gc('--apply')).stdout).toBe(listed.stdout);
    // A part outlives its mark by a day, whatever its own age.
    expect((await gc('--apply')).stdout).toBe('');
    expect(filesBelow(scores)).toHaveLength(all.length - audits.length);
    const isMark = (name: string) => name.startsWith('receipts/') && statSync(join(scores, name)).size <= 200;
    age(filesBelow(scores).filter(isMark), 1.5);
    const gone = (await gc('--apply')).stdout.trim().split('\n');
    for (const kind of ['/parts/', '/receipts/', '/keys/']) {
      expect(gone.filter((name) => name.includes(kind))).toHaveLength(2);
    }
    expect(gone).toHaveLength(6);
    expect((await gc('--apply')).stdout).toBe('');
    for (const partition of ['dt=2024-03-08', 'dt=2024-03-09']) {
      expect(bitsOf(await resolved(partition)).size).toBeGreaterThan(0);
    }
    expect((await callMain('gc', '--scores', scores, '--days', '1')).exitCode).toBe(2);
  }, 180_000);

  it('may give relative paths: what is published names absolute ones', async () => {
    const args = [
      '--model',
      'one/bundle',
      '--input',
      'input',
      '--scores',
      'relative',
      '--output',
      'relative.json',
    ];
    await runProgram(process.execPath, [mainScript, 'plan', ...args, '--partition', 'dt=2024-03-09'], folder);
    await runProgram(process.execPath, [mainScript, 'run', '--plan', 'relative.json'], folder);
    const found = await callMain(
      'resolve',
      '--scores',
      join(folder, 'relative'),
      '--partition',
      'dt=2024-03-09',
    );
    expect(found.stdout).toMatch(/^\//);
    expect(bitsOf(found.stdout.trim().split('\n')).size).toBe(650);
  });

  it('are told what is missing or wrong', async () => {
    const none = await callMain('resolve', '--scores', scores, '--partition', 'dt=1999-01-01');
    expect(none.stderr).toMatch(/^error: PUBLISH_NOTHING: .*dt=1999-01-01\.json/);
    const both = await planWith(0, '--partition', 'dt=2024-03-08', '--from', '2024-03-08');
    expect(both).toMatchObject({ exitCode: 2, stdout: '' });
    expect((await planWith(0, '--partition', 'dt=2031-01-01')).stderr).toMatch(/^error: PLAN_NO_PARTITION/);
    mkdirSync(join(folder, 'empty'));
    expect(await callMain('status', '--scores', join(folder, 'empty'))).toMatchObject({
      exitCode: 0,
      stdout: 'nothing is published\n',
    });
    expect((await callMain('run', '--plan', join(models[0]!, 'bundle.json'))).stderr).toMatch(
      /^error: PLAN_INVALID: .*bundle\.json: this isn't a valid run plan; .*\n( {2}- [\w.]+: .*\n)+what to do: .*name a file that plan --output wrote, or plan again\n$/,
    );
  });

  it('kill a run at any moment, and the next one ends with the same parts as one that was left alone', async () => {
    for (let i = 0; i < 6; i++) write(`dt=2024-03-20/${i}.parquet`, `2024-03-2${i}`, 800);
    const at = (root: string) => [
      ...['plan', '--model', models[0]!, '--input', input, '--scores', root, '--output', plan],
      ...['--partition', 'dt=2024-03-20', '--target-rows', '100'],
    ];
    const quiet = join(folder, 'quiet');
    await callMain(...at(quiet));
    await run();
    const killed = join(folder, 'killed');
    await callMain(...at(killed));
    for (const partsAtLeast of [1, 12, 30]) {
      const child = spawn(process.execPath, [mainScript, 'run', '--plan', plan], { stdio: 'ignore' });
      const exited = once(child, 'exit');
      while (
        child.exitCode === null &&
        filesBelow(killed).filter((name) => name.endsWith('.arrow')).length < partsAtLeast
      ) {
        await sleep(5);
      }
      child.kill('SIGKILL');
      await exited;
      const resolve = await callMain('resolve', '--scores', killed, '--partition', 'dt=2024-03-20');
      expect(resolve.stderr).toMatch(/PUBLISH_NOTHING/);
    }
    expect((await run()).stdout).toContain('published');
    const names = (root: string) => filesBelow(root).filter((name) => !name.includes('/.'));
    expect(names(killed).filter((name) => name.startsWith('parts'))).toEqual(
      names(quiet).filter((name) => name.startsWith('parts')),
    );
    for (const name of names(quiet).filter((name) => name.startsWith('parts'))) {
      expect(readFileSync(join(killed, name)).equals(readFileSync(join(quiet, name))), name).toBe(true);
    }
  }, 180_000);
});
