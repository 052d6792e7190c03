import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { mainScript, run } from './runMain.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/tutorial.md', import.meta.url)), 'utf8');
const steps = [...page.matchAll(/```sh\n(.*)\n```\n(?:\n```text\n([\s\S]*?)\n```)?/g)].map(
  ([, command, output]) => ({
    command: command!,
    output: output ?? '',
  }),
);

/** What differs from one machine or day to the next: places, times, digests, what a model has learned, prices. */
function withoutChance(text: string, folder: string): string {
  return text
    .replaceAll(`${folder}/`, '/home/you/')
    .replace(/\d{4}-\d\d-\d\d-[0-9a-f]{8}/g, 'VERSION')
    .replace(/\b[0-9a-f]{12,64}\b/g, 'DIGEST')
    .replace(/at step \d+ \(epoch \d+\)|\d+s at [\d,]+ rows\/s|prices of [\d-]+/g, 'CHANCE')
    .replace(/\d+\.\d+/g, 'N')
    .replace(/[\d,]+ (bytes|MB)/g, 'N $1')
    .trimEnd();
}

it('every command of docs/tutorial.md runs as it stands and prints what stands there', async () => {
  const folder = temporaryFolder();
  expect(steps.length).toBeGreaterThan(12);
  for (const { command, output } of steps) {
    const line = command.replace(/^npx ncs4cvr/, `'${process.execPath}' '${mainScript}'`);
    const { exitCode, stdout, stderr } = await run('bash', ['-c', line], folder);
    expect(exitCode, `${command}\n${stderr}`).toBe(0);
    expect(withoutChance(stdout, join(folder)), command).toBe(withoutChance(output, '/home/you'));
  }
}, 180_000);
