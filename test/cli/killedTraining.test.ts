import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { TINY_CONFIG } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { mainScript } from './runMain.ts';

const folder = temporaryFolder();
const data = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 400 });

function writeConfig(name: string, over: object): string {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ ...TINY_CONFIG, ...over }));
  return file;
}

const start = (command: string, config: string, output: string, ...further: string[]) =>
  spawn(process.execPath, [mainScript, command, config, '--data', data, '--output', output, ...further], {
    stdio: 'ignore',
  });
const ended = (child: ChildProcess) =>
  new Promise<[number | null, string | null]>((resolve) => {
    child.on('exit', (code, signal) => resolve([code, signal]));
  });

/** As soon as there is such a file. */
async function killWhen(child: ChildProcess, file: string): Promise<void> {
  const end = ended(child);
  while (!existsSync(file) && child.exitCode === null && child.signalCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill('SIGKILL');
  expect(await end).toEqual([null, 'SIGKILL']);
}

it('ncs4cvr train goes on after SIGKILL and writes the same model', async () => {
  const training = { ...(TINY_CONFIG.training as object), epochs: 40, patience: 1000, batchRows: 16 };
  const config = writeConfig('train.json', { training });
  const killed = join(folder, 'killed');
  await killWhen(start('train', config, killed), join(killed, '.checkpoints', 'joint.checkpoint'));
  expect(existsSync(join(killed, 'bundle.json'))).toBe(false);

  const whole = join(folder, 'whole');
  expect(await ended(start('train', config, killed))).toEqual([0, null]);
  expect(await ended(start('train', config, whole))).toEqual([0, null]);
  const model = (output: string) => readFileSync(join(output, 'model.onnx'));
  expect(model(killed).equals(model(whole))).toBe(true);
  expect(existsSync(join(killed, '.checkpoints'))).toBe(false);
}, 60_000);

it('ncs4cvr compare goes on after SIGKILL, repeats no finished run, and finds the same differences', async () => {
  const [train, validation, report] = TINY_DATES.map((date) => ({ from: date, to: date }));
  const training = { ...(TINY_CONFIG.training as object), epochs: 4, batchRows: 16 };
  const config = writeConfig('compare.json', { training, split: { by: 'date', train, validation, report } });
  const compare = (output: string) =>
    start('compare', config, output, '--arms', 'shared-bottom', '--seeds', '2', '--processes', '1');
  const killed = join(folder, 'killed comparison');
  const finished = join(killed, 'runs', 'ncs', 'seed-1', 'run.json');
  await killWhen(compare(killed), finished);
  expect(existsSync(join(killed, 'comparison.json'))).toBe(false);

  const { mtimeMs } = statSync(finished);
  const whole = join(folder, 'whole comparison');
  expect(await ended(compare(killed))).toEqual([0, null]);
  expect(await ended(compare(whole))).toEqual([0, null]);
  expect(statSync(finished).mtimeMs).toBe(mtimeMs);
  const found = (output: string) => JSON.parse(readFileSync(join(output, 'comparison.json'), 'utf8'));
  expect(found(killed).paired).toEqual(found(whole).paired);
  expect(found(killed).arms.ncs.metrics).toEqual(found(whole).arms.ncs.metrics);
}, 60_000);
