import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { tinyConfigDocument } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const [data, config, job] = ['data', 'config.json', 'job.json'].map((name) => join(folder, name)) as [
  string,
  string,
  string,
];

/** Days as a job's layout names them, each with a file that its shardPattern leaves out, and which is broken. */
beforeAll(() => {
  writeTinyFunnel(data);
  for (const date of TINY_DATES) {
    mkdirSync(join(data, `day=${date.replaceAll('-', '')}`));
    const moved = join(data, `day=${date.replaceAll('-', '')}`, 'part-0.parquet');
    renameSync(join(data, `dt=${date}`, 'part-0.parquet'), moved);
    writeFileSync(join(moved, '../draft.parquet'), 'PAR1 and no more');
  }
  writeFileSync(config, JSON.stringify(tinyConfigDocument()));
  const document = { partitions: 'day=%Y%m%d', shardPattern: 'part-*', model: join(folder, 'model') };
  writeFileSync(job, JSON.stringify({ input: data, scores: join(folder, 'scores'), ...document }));
});

it("train reads a job's input by the job's partitions and names of shards, and keeps them in the bundle", async () => {
  const output = join(folder, 'model');
  const trained = await callMain('train', config, '--job', job, '--output', output, '--json');
  expect(trained.exitCode, trained.stderr).toBe(0);
  expect(trained.stderr).toContain('shards not named part-* were left out: 3');
  const { training } = JSON.parse(readFileSync(join(output, 'bundle.json'), 'utf8'));
  expect(training.config.split).toMatchObject({ partitions: 'day=%Y%m%d', shardPattern: 'part-*' });
}, 60_000);

it('train refuses a config whose split contradicts the job', async () => {
  const other = join(folder, 'other.json');
  writeFileSync(other, JSON.stringify(tinyConfigDocument({ split: { partitions: 'dt=%Y-%m-%d' } })));
  const refused = await callMain('train', other, '--job', job, '--output', join(folder, 'none'));
  expect(refused).toMatchObject({ exitCode: 1 });
  expect(refused.stderr).toContain('TRAINING_CONFIG_INVALID');
  expect(refused.stderr).toContain('split.partitions: "dt=%Y-%m-%d", where the job says "day=%Y%m%d"');
});

it('a training that fails before its first epoch leaves no folder', async () => {
  const other = join(folder, 'early.json');
  const document = JSON.stringify(tinyConfigDocument());
  writeFileSync(
    other,
    document.replace('"type":"int","vocabulary":{}', '"type":"int","vocabulary":{"maxEntries":1}'),
  );
  const refused = await callMain('train', other, '--job', job, '--output', join(folder, 'made', 'bundle'));
  expect(refused.stderr).toContain('CONTRACT_VOCABULARY_TOO_LARGE');
  expect(existsSync(join(folder, 'made'))).toBe(false);
});

it('a label that a shard lacks is no feature that could be optional, and the advice says so', async () => {
  const other = join(folder, 'label.json');
  const labels = { click: 'no_such_click', conversion: 'conversion' };
  writeFileSync(other, JSON.stringify(tinyConfigDocument({ labels })));
  const refused = await callMain('train', other, '--job', job, '--output', join(folder, 'none'));
  expect(refused.stderr).toContain("column 'no_such_click'");
  expect(refused.stderr).toMatch(
    /what to do: .*a feature, mark it "required": false .*a label or row key has no such setting: .*leave shards without it out/s,
  );
});
