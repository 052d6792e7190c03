import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const ROWS = 4000;
const shard = join(folder, 'shard.parquet');
let model: string;

beforeAll(async () => {
  model = (await trainTinyModel(join(folder, 'model'))).bundleUri;
  writeFileSync(shard, funnelShard(funnelRows('2024-03-04', ROWS), 500));
}, 60_000);

describe('tune', () => {
  it('measures whole row groups of the sample with one and two threads, and recommends for the rows of a night', async () => {
    const args = ['--model', model, '--input', shard, '--sample-rows', '1800', '--rows', '1000000', '--json'];
    const { exitCode, stdout } = await callMain('tune', ...args);
    expect(exitCode).toBe(0);
    const { sampleRows, inputRows, measured, recommended } = JSON.parse(stdout);
    expect({ sampleRows, inputRows }).toEqual({ sampleRows: 2000, inputRows: 1_000_000 });
    expect([measured.short.rows, measured.one.rows, measured.two.rows]).toEqual([500, 2000, 2000]);
    for (const { peakBytes, loadSeconds, scoreSeconds, cpuSeconds } of Object.values<typeof measured.one>(
      measured,
    )) {
      // A Node process with onnxruntime: neither kilobytes nor the machine's memory.
      expect(peakBytes).toBeGreaterThan(80e6);
      expect(peakBytes).toBeLessThan(1.5e9);
      for (const seconds of [loadSeconds, scoreSeconds, cpuSeconds]) expect(seconds).toBeGreaterThan(0);
    }
    expect(recommended).toMatchObject({ meetsDeadline: true, meetsBudget: true });
    expect(recommended.memoryMegabytes).toBeGreaterThanOrEqual(1769);
  }, 60_000);

  it('takes the rows of the input, and ends with 1 where nothing is cheap enough', async () => {
    const { exitCode, stdout } = await callMain(
      'tune',
      '--model',
      model,
      '--input',
      shard,
      '--budget',
      '0.0000001',
    );
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`for ${ROWS.toLocaleString('en')} rows: memory `);
    // How many it takes is what the machine makes of the measurements.
    expect(stdout).toMatch(/ MB \((?:1 thread|\d{2,} threads|[2-9] threads)\), /);
    expect(stdout).toContain('note: nothing that is done in time costs less than $1e-7; this comes nearest');
  }, 60_000);

  it('says what is wrong with a model or an input', async () => {
    const noModel = await callMain('tune', '--model', join(folder, 'none'), '--input', shard);
    expect(noModel).toMatchObject({ exitCode: 1, stdout: '' });
    expect(noModel.stderr).toMatch(/^error: STORAGE_NOT_FOUND: /);
    const noInput = await callMain('tune', '--model', model, '--input', join(folder, 'none'));
    expect(noInput.stderr).toMatch(/^error: STORAGE_NOT_FOUND: /);
  }, 60_000);
});
