import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
let tiny: TinyModel;

beforeAll(async () => {
  tiny = await trainTinyModel(folder, {
    config: { network: { kind: 'ncs', embeddingWidth: 4, hidden: [32, 32] } },
  });
});

describe('export', () => {
  test('writes a bundle in integers that scores, and says what that changed', async () => {
    const output = join(folder, 'int8');
    const args = [tiny.bundleUri, '--output', output, '--int8', '--tables', 'int8', '--data', tiny.dataUri];
    const { exitCode, stdout, stderr } = await callMain('export', ...args);
    // Millions of validation rows take minutes.
    expect(stderr).toBe('encoding ...\nnarrowing ...\nscoring ...\nwriting ...\n');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /model tiny-1-int8-tables-i8-[0-9a-f]{8}; on the validation rows click AUC 0\.\d{4} becomes 0\.\d{4}, mean score [+-]\d\.\d{3}%, single scores up to 0\.\d{4}; conversion AUC/,
    );
    const scores = join(folder, 'scores');
    const scored = await callMain('score', '--model', output, '--input', tiny.dataUri, '--output', scores);
    expect(scored).toMatchObject({ exitCode: 0 });
  });

  test('writes one ordinary ONNX file with --plain; with --json stdout is one object', async () => {
    const file = join(folder, 'plain.onnx');
    const { exitCode, stdout } = await callMain('export', tiny.bundleUri, '--plain', file, '--json');
    expect(exitCode).toBe(0);
    const bytes = readFileSync(file);
    expect(JSON.parse(stdout)).toEqual({ file, modelVersion: 'tiny-1', sizeBytes: bytes.length });
    expect(decodeModel(bytes).graph.output.map(({ name }) => name)).toEqual(['pctr', 'pcvr', 'pctcvr']);
  });

  test.each([
    ['nothing to do', ['--output', 'x', '--data', 'y'], 'nothing to make smaller'],
    ['no place', ['--int8', '--data', 'y'], 'either --output or --plain is needed'],
    ['two places', ['--output', 'x', '--plain', 'y'], '--plain goes without'],
    ['no data', ['--output', 'x', '--int8'], 'give --data or --files'],
    ['an unknown type', ['--output', 'x', '--tables', 'int4', '--data', 'y'], 'Allowed choices are'],
  ])('given %s, it is wrong usage', async (_title, args, message) => {
    const { exitCode, stderr } = await callMain('export', tiny.bundleUri, ...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});
