import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tinyConfigDocument, trainTinyModel } from '../fixtures/tinyModel.ts';
import { textOf } from '../report/readPage.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const LIMIT = 300_000;
const at = (name: string) => join(folder, name);
const DAY = 'dt=2024-03-03';
let data: string;
let bundle: string;

beforeAll(async () => {
  ({ dataUri: data, bundleUri: bundle } = await trainTinyModel(folder));
  const places = ['--model', bundle, '--input', data, '--scores', at('scores')];
  await callMain('plan', ...places, '--partition', DAY, '--output', at('plan.json'));
}, LIMIT);

const pageAt = (name: string) => textOf(readFileSync(at(name), 'utf8'));

describe('pages', () => {
  it(
    'are written of a run, of the partition, of all partitions and of the model',
    async () => {
      const ran = await callMain('run', '--plan', at('plan.json'), '--report', at('run.html'));
      expect(ran.exitCode, ran.stderr).toBe(0);
      expect(pageAt('run.html')).toContain(`Run of ${DAY}`);
      expect(ran.stdout).toContain(`page written to ${at('run.html')}\n`);

      const place = ['--scores', at('scores'), '--partition', DAY];
      const told = await callMain('report', ...place, '--output', at('night.html'), '--json');
      expect(told.exitCode, told.stderr).toBe(0);
      const record = JSON.parse(told.stdout) as { partition: string; runs: { partitions: unknown[] }[] };
      expect(record.partition).toBe(DAY);
      // What `run` has left is what the report is made of.
      expect(record.runs.map(({ partitions }) => partitions.length)).toEqual([1]);
      expect(pageAt('night.html')).toContain('1,500');

      const status = ['status', '--scores', at('scores'), '--html', at('status.html'), '--reports'];
      const all = await callMain(...status);
      expect(all.exitCode, all.stderr).toBe(0);
      expect(readFileSync(at('status.html'), 'utf8')).toContain('href="reports/dt%3D2024-03-03.html"');
      expect(pageAt(`reports/${DAY}.html`)).toContain('What ran when');
      expect(all.stdout).toContain(
        `page written to ${at('status.html')}, with 1 report in ${at('reports/')}\n`,
      );

      // Of what was never published, and no run has touched, there is no page and no link.
      const job = { input: data, scores: at('scores'), model: bundle };
      writeFileSync(at('job.json'), JSON.stringify(job));
      const ofJob = ['status', '--job', at('job.json'), '--html', at('job/status.html'), '--reports'];
      const states = await callMain(...ofJob);
      expect(states.exitCode, states.stderr).toBe(0);
      expect(states.stdout).toMatch(/^dt=2024-03-02 {2}complete/m);
      expect(readdirSync(at('job/reports'))).toEqual([`${DAY}.html`]);
      const links = readFileSync(at('job/status.html'), 'utf8').matchAll(/href="(reports[^"]*)"/g);
      expect(new Set([...links].map(([, link]) => link))).toEqual(new Set(['reports/dt%3D2024-03-03.html']));

      const model = ['--model', bundle, '--data', join(data, DAY), '--rows', '300'];
      const measured = await callMain('report', ...model, '--output', at('model.html'), '--json');
      expect(measured.exitCode, measured.stderr).toBe(0);
      expect((JSON.parse(measured.stdout) as { measures: { sampleRows: number } }).measures.sampleRows).toBe(
        300,
      );
      expect(pageAt('model.html')).toContain('Model tiny-1');

      const files = ['--model', bundle, '--input', join(data, DAY), '--output', at('files')];
      const scored = await callMain('score', ...files, '--report', at('score.html'));
      expect(scored.exitCode, scored.stderr).toBe(0);
      expect(pageAt('score.html')).toContain('1,500 rows in 1 shard');
      expect(scored.stdout).toContain(`page written to ${at('score.html')}\n`);
    },
    LIMIT,
  );

  it(
    'are written of a model by its training, which keeps a model whose page it cannot write',
    async () => {
      writeFileSync(at('config.json'), JSON.stringify(tinyConfigDocument()));
      const train = (name: string, page: string, ...more: string[]) => {
        const where = ['--data', data, '--output', at(name), '--report', page];
        return callMain('train', at('config.json'), ...where, ...more);
      };
      const [made, unreported] = [
        await train('made', at('made.html'), '--json'),
        // A folder in the way.
        await train('unreported', folder, '--json'),
      ];
      expect(made.exitCode, made.stderr).toBe(0);
      expect(JSON.parse(made.stdout)).toMatchObject({ model: at('made'), report: at('made.html') });
      for (const title of ['Learning curves', 'Feature importance', 'Reliability', 'By price']) {
        expect(pageAt('made.html')).toContain(title);
      }
      expect(unreported.exitCode).toBe(1);
      expect(JSON.parse(unreported.stdout)).toMatchObject({ model: at('unreported'), report: null });
      expect(unreported.stderr).toContain('the bundle is written, its report is not');
      expect(existsSync(at('unreported/bundle.json'))).toBe(true);
      expect((await train('told', at('told.html'))).stdout).toContain(`page written to ${at('told.html')}\n`);
    },
    LIMIT,
  );

  it(
    'lose no result where they cannot be written: what was scored or run is told, and the command fails',
    async () => {
      // A folder in the way.
      const report = ['--report', folder];
      const files = ['--model', bundle, '--input', join(data, DAY), '--output', at('unreported-files')];
      const scored = await callMain('score', ...files, ...report, '--json');
      expect([scored.exitCode, JSON.parse(scored.stdout).rows]).toEqual([1, 1500]);
      expect(scored.stderr).toContain('the scores are written, their report is not');
      const places = ['--model', bundle, '--input', data, '--scores', at('unreported-scores')];
      await callMain('plan', ...places, '--partition', DAY, '--output', at('unreported.json'));
      expect((await callMain('score', ...files, ...report)).stdout).not.toContain('page written');
      const ran = await callMain('run', '--plan', at('unreported.json'), ...report);
      expect([ran.exitCode, ran.stdout]).toEqual([1, expect.stringContaining(`${DAY}: published, `)]);
      expect(ran.stderr).toContain('the run has ended, its report is not');
    },
    LIMIT,
  );

  it(
    'are not written of what is not there, which is said',
    async () => {
      const missing = await callMain(
        'report',
        '--scores',
        at('nowhere'),
        '--partition',
        DAY,
        '--output',
        at('no.html'),
      );
      expect([missing.exitCode, existsSync(at('no.html'))]).toEqual([1, false]);
      expect(missing.stderr).toContain('PUBLISH_NO_ROOT');
      const nothing = await callMain('report', '--output', at('no.html'));
      expect(nothing.exitCode).toBe(2);
      expect(nothing.stderr).toContain('either --scores and --partition, or --model is needed');
      const alone = await callMain('status', '--scores', at('scores'), '--reports');
      expect([alone.exitCode, alone.stderr]).toEqual([2, expect.stringContaining('--reports needs --html')]);
    },
    LIMIT,
  );

  it(
    'fail no run: where no record can be kept, the partition is published all the same',
    async () => {
      const scores = at('unkept');
      const places = ['--model', bundle, '--input', data, '--scores', scores];
      await callMain('plan', ...places, '--partition', DAY, '--output', at('plan2.json'));
      const made = await callMain('run', '--plan', at('plan2.json'));
      expect(made.exitCode, made.stderr).toBe(0);
      // A file in the place of the folder.
      rmSync(join(scores, 'run-records'), { recursive: true });
      writeFileSync(join(scores, 'run-records'), '');
      const again = await callMain('run', '--plan', at('plan2.json'));
      expect(again.exitCode).toBe(0);
      expect(again.stderr).toContain('the record of this run could not be kept');
    },
    LIMIT,
  );
});
