import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { callMain } from './callMain.ts';

const folder = temporaryFolder();
const s3 = testEndpoint();
const file = join(folder, 'plan.json');
writeFileSync(file, '{}');

const COMMANDS: readonly (readonly [command: string, ...more: readonly string[]])[] = [
  ['status'],
  ['status', '--json'],
  ['gc'],
  ['resolve', '--partition', 'dt=2024-03-09'],
  ['rollback', '--partition', 'dt=2024-03-09', '--reason', 'x'],
];

describe.each(COMMANDS.map((line) => [line.join(' '), line] as const))('%s', (_, [command, ...more]) => {
  it.each([join(folder, 'scroes'), file, `s3://${s3.bucket}/scroes`])(
    'fails and names a root that is mistyped: %s',
    async (root) => {
      const { exitCode, stdout, stderr } = await callMain(command, '--scores', root, ...more);
      expect(exitCode).toBe(1);
      if (more.includes('--json')) expect(JSON.parse(stdout).error.code).toBe('PUBLISH_NO_ROOT');
      else expect(stdout).toBe('');
      expect(stderr).toMatch(/^error: PUBLISH_NO_ROOT: \S+: there is no such output root .*\n/);
      expect(stderr).toContain(root);
    },
  );
});

it('a root that is there and empty has nothing published, which is no failure', async () => {
  const root = join(folder, 'empty');
  mkdirSync(root);
  expect(await callMain('status', '--scores', root)).toEqual({
    exitCode: 0,
    stdout: 'nothing is published\n',
    stderr: '',
  });
  expect((await callMain('gc', '--scores', root)).exitCode).toBe(0);
});
