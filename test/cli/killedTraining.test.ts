import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { TINY_CONFIG } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { mainScript } from './runMain.ts';

it('ncs4cvr train goes on after SIGKILL and writes the same model', async () => {
  const folder = temporaryFolder();
  const data = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 400 });
  const config = join(folder, 'config.json');
  const training = { ...(TINY_CONFIG.training as object), epochs: 40, patience: 1000, batchRows: 16 };
  writeFileSync(config, JSON.stringify({ ...TINY_CONFIG, training }));
  const start = (output: string) =>
    spawn(process.execPath, [mainScript, 'train', config, '--data', data, '--output', output], {
      stdio: 'ignore',
    });
  const ended = (child: ReturnType<typeof start>) =>
    new Promise<[number | null, string | null]>((resolve) => {
      child.on('exit', (code, signal) => resolve([code, signal]));
    });

  const killed = join(folder, 'killed');
  const victim = start(killed);
  const end = ended(victim);
  while (!existsSync(join(killed, '.checkpoints', 'joint.checkpoint')) && victim.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  victim.kill('SIGKILL');
  expect(await end).toEqual([null, 'SIGKILL']);
  expect(existsSync(join(killed, 'bundle.json'))).toBe(false);

  const whole = join(folder, 'whole');
  expect(await ended(start(killed))).toEqual([0, null]);
  expect(await ended(start(whole))).toEqual([0, null]);
  const model = (output: string) => readFileSync(join(output, 'model.onnx'));
  expect(model(killed).equals(model(whole))).toBe(true);
  expect(existsSync(join(killed, '.checkpoints'))).toBe(false);
}, 60_000);
