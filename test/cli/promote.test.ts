import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { withVersion } from '../channels/channelUnderTest.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();

const models = join(folder, 'models');
const input = join(folder, 'input');
let bundle: string;
let other: string;

beforeAll(async () => {
  ({ bundleUri: bundle } = await trainTinyModel(folder));
  other = withVersion(bundle, 'tiny-2');
  mkdirSync(join(input, 'dt=2024-03-04'), { recursive: true });
  writeFileSync(join(input, 'dt=2024-03-04/a.parquet'), funnelShard(funnelRows('2024-03-04', 30), 20));
});

const promote = (...args: readonly string[]) =>
  callMain('promote', ...args, '--models', models, '--channel', 'live');

describe('promote', () => {
  it('makes a model live that plan then takes, and back takes the one before', async () => {
    const job = join(folder, 'job.json');
    const model = { models, channel: 'live' };
    writeFileSync(job, JSON.stringify({ input, scores: join(folder, 'scores'), model }));
    const plan = async () => JSON.parse((await callMain('plan', '--job', job, '--json')).stdout);
    const before = await callMain('plan', '--job', job);
    expect(before).toMatchObject({ exitCode: 1, stdout: '' });
    expect(before.stderr).toMatch(/^error: CHANNEL_NOT_FOUND: .*channels.live\.json/);

    const first = await promote(bundle);
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toMatch(
      /^live: promoted, tiny-1 \([0-9a-f]{12}\), generation 1; before: nothing\n$/,
    );
    const { modelUri, channel } = await plan();
    expect(modelUri).toMatch(/models\/bundles\/[0-9a-f]{64}$/);
    expect(channel).toEqual({ name: 'live', generation: 1 });

    const second = JSON.parse((await promote(other, '--json')).stdout);
    expect(second).toMatchObject({
      outcome: 'promoted',
      channel: 'live',
      generation: 2,
      current: { model: { version: 'tiny-2' } },
    });
    expect((await plan()).modelUri).toBe(join(models, second.current.bundle));
    expect((await callMain('plan', '--job', job)).stdout).toContain(
      'to score with tiny-2 (channel live, generation 2): ',
    );

    const back = await promote('--back');
    expect(back.stdout).toMatch(
      /^live: rolled back, tiny-1 .* generation 3; before: [0-9a-f]{12} \(tiny-2\)\n$/,
    );
    expect((await plan()).modelUri).toBe(modelUri);
    const again = await promote('--back');
    expect(again).toMatchObject({ exitCode: 0, stderr: '' });
    expect(again.stdout).toMatch(/^live: unchanged, it was rolled back already; .* tiny-1 .* generation 3;/);

    const forth = await promote('--to', second.current.bundle.slice('bundles/'.length));
    expect(forth.stdout).toMatch(/^live: rolled back, tiny-2 .* generation 4;/);
    // A model that is named goes before the job's.
    const named = await callMain('plan', '--job', job, '--model', bundle, '--json');
    expect(JSON.parse(named.stdout).modelUri).toBe(bundle);
  }, 60_000);

  it('of what is no bundle ends with exit code 1 and the code', async () => {
    const { exitCode, stdout, stderr } = await promote(join(folder, 'data'));
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^error: STORAGE_NOT_FOUND: /);
  });

  it("a job's channel is checked as the rest of the job, with every problem at once", async () => {
    const job = join(folder, 'wrong.json');
    const wrong = { input, scores: '', model: { models: '', channel: 'Live', bundle: 'x' } };
    writeFileSync(job, JSON.stringify(wrong));
    const { exitCode, stderr } = await callMain('plan', '--job', job);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('JOB_INVALID');
    for (const problem of [/- scores: expected a path/, /- model\.channel: expected a name/, /"bundle"/]) {
      expect(stderr).toMatch(problem);
    }
  });
});
