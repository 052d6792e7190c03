import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import { mainScript } from './runMain.ts';

const FULL = '/dev/full';

it.skipIf(!existsSync(FULL)).each([
  ['a result', ['completion', 'bash'], 1],
  ['a help text', ['--help'], 1],
  ['an error as JSON, whose exit code stays,', ['status', '--json', '--nothing'], 2],
] as const)(
  '%s that a full disk does not take is told in one line, and the command fails',
  (_, args, code) => {
    const full = openSync(FULL, 'w');
    const { status, stderr } = spawnSync(process.execPath, [mainScript, ...args], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect(status, stderr).toBe(code);
    expect(stderr.match(/^error: what this command prints can't be written: ENOSPC/gm)).toHaveLength(1);
    expect(stderr).not.toContain('    at ');
  },
);
