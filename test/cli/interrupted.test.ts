import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { mainScript } from './runMain.ts';

const folder = temporaryFolder();

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  '%s in the middle of a file says what is kept and how to go on, and leaves no temporary file',
  async (signal, code) => {
    const { bundleUri } = await trainTinyModel(join(folder, signal, 'model'));
    const [input, output] = [join(folder, signal, 'input'), join(folder, signal, 'output')];
    mkdirSync(input);
    const shard = funnelShard(funnelRows('2024-03-09', 3_000), 10);
    for (let i = 0; i < 40; i++) writeFileSync(join(input, `${i}.parquet`), shard);
    const args = ['score', '--model', bundleUri, '--input', input, '--output', output, '--workers', '1'];
    const child = spawn(process.execPath, [mainScript, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const names = () => {
      try {
        return readdirSync(output);
      } catch {
        return [];
      }
    };
    const isTemporary = (name: string) => name.endsWith('.tmp');
    const closed = once(child, 'close');
    while (!names().some(isTemporary) && child.exitCode === null) await sleep(1);
    child.kill(signal);
    expect((await closed)[0]).toBe(code);
    expect(stderr.trim().split('\n').at(-1)).toBe(
      'interrupted: files that were finished are whole and kept; the same command scores every shard again',
    );
    expect(names().filter(isTemporary)).toEqual([]);
  },
  60_000,
);
