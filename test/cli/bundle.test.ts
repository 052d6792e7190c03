import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { readOwnContract } from '../../lib/ownModel/readOwnContract.ts';
import { writeOwnContract } from '../fixtures/ownContract.ts';
import { ownModel } from '../fixtures/ownModel.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const data = join(folder, 'data');
const onnx = join(folder, 'mine.onnx');
const bundle = join(folder, 'bundle');
const newest = `dt=${TINY_DATES[2]}`;
let contract: string;
let shared: string[];

beforeAll(async () => {
  writeTinyFunnel(data, { rowsPerDay: 600 });
  contract = writeOwnContract(folder);
  const fitted = await readOwnContract(contract);
  writeFileSync(onnx, ownModel(featureLayout(fitted.contract)).bytes);
  const config = join(folder, 'config.json');
  const labels = { click: 'click', conversion: 'conversion' };
  writeFileSync(config, JSON.stringify({ modelVersion: 'mine-1', labels }));
  shared = ['bundle', '--onnx', onnx, '--contract', contract, '--config', config, '--data', data];
});

describe('bundle', () => {
  test('makes a bundle of an ONNX file that is inspected, scored, published, explained and reported as any other', async () => {
    const made = await callMain(...shared, '--output', bundle);
    expect(made.exitCode).toBe(0);
    expect(made.stdout).toMatch(
      /bundle: model mine-1, compared with 600 rows, dt=2024-03-03 to dt=2024-03-03; click AUC 0\.\d{4}, conversion AUC 0\.\d{4}\n$/,
    );
    const scores = join(folder, 'scores');
    const plan = join(folder, 'plan.json');
    const job = join(folder, 'job.json');
    writeFileSync(job, JSON.stringify({ input: data, scores, model: bundle }));
    const steps = [
      ['inspect', bundle, '--verify'],
      ['score', '--model', bundle, '--input', join(data, newest), '--output', join(folder, 'files')],
      ['plan', '--job', job, '--output', plan],
      ['run', '--plan', plan],
      ['resolve', '--scores', scores, '--partition', newest],
      ['explain', '--scores', scores, '--partition', newest, '--key', 'request=r20240303-7', '--why'],
      ['report', '--model', bundle, '--data', join(data, newest), '--output', join(folder, 'report.html')],
    ];
    const outputs: string[] = [];
    for (const step of steps) {
      const { exitCode, stdout, stderr } = await callMain(...step);
      expect({ step, exitCode, stderr: exitCode === 0 ? '' : stderr }).toEqual({
        step,
        exitCode: 0,
        stderr: '',
      });
      outputs.push(stdout);
    }
    const [inspected, , , ran, resolved, explained] = outputs as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    expect(inspected).toMatch(/network +own, mine\.onnx by ncs4cvr, opset 17\n/);
    expect(inspected).toMatch(/verified +sizes, checksums, interface and golden rows/);
    expect(ran).toContain(`${newest}: published, `);
    expect(explained).toContain('mine-1');
    const files = resolved.trim().split('\n');
    const published = new Map(files.flatMap((file) => [...scoreBits(file)]));
    expect(published.size).toBe(600);
    expect(published).toEqual(scoreBits(join(folder, 'files', 'part-0.arrow')));
  });

  test('with --json, stdout is one object that says what each input takes', async () => {
    const { exitCode, stdout } = await callMain(...shared, '--output', join(folder, 'json'), '--json');
    expect(exitCode).toBe(0);
    const { modelVersion, inputs, metrics, notes } = JSON.parse(stdout);
    expect({ modelVersion, notes }).toEqual({ modelVersion: 'mine-1', notes: [] });
    expect(metrics.click.rows).toBe(600);
    expect(inputs[0]).toEqual({
      name: 'user_id',
      elementType: 'int64',
      isFlat: true,
      values: [{ feature: 'user_id', as: 'id' }],
    });
  });

  test('says what is wrong with a file, and what to do', async () => {
    const broken = join(folder, 'broken.onnx');
    writeFileSync(broken, 'weights');
    const wrong = shared.map((word) => (word === onnx ? broken : word));
    const { exitCode, stderr } = await callMain(...wrong, '--output', join(folder, 'broken'));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/error: GRAPH_UNREADABLE: .*broken\.onnx: not an ONNX model/);
    expect(stderr).toContain('what to do: ');
  });

  test('without data, it is wrong usage', async () => {
    const { exitCode, stderr } = await callMain(...shared.slice(0, -2), '--output', join(folder, 'none'));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('either --data or --files is needed');
  });
});
