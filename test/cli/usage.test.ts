import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatCount, formatMetric, formatSeconds } from '../../lib/cli/progressLine.ts';
import { type FinishedRun, mainScript, run, runMain } from './runMain.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const COMMANDS = ['train', 'score', 'evaluate', 'inspect'];

/** Every command line below, each run once, all at the same time: starting Node is most of their cost. */
const runs = new Map<string, FinishedRun>();
const WRONG: Readonly<Record<string, readonly [args: readonly string[], says: RegExp]>> = {
  'no command': [[], /Usage: ncs4cvr/],
  'an unknown command': [['scor'], /unknown command 'scor'/],
  '--wait without a state machine': [['run', '--plan', 'p', '--wait'], /--wait needs --state-machine/],
  'workers of a state machine': [
    ['run', '--plan', 'p', '--workers', '2', '--state-machine', 'arn:aws:states:r:1:stateMachine:m'],
    /cannot be used with option/,
  ],
  'a name for an ARN': [['run', '--plan', 'p', '--state-machine', 'scoring'], /expected arn:aws:states/],
  'a redrive of nothing': [['redrive'], /--execution or --state-machine is needed/],
  'a redrive of a state machine': [
    ['redrive', '--execution', 'arn:aws:states:r:1:stateMachine:m'],
    /expected/,
  ],
  'an unknown option': [['inspect', 'x', '--fast'], /unknown option '--fast'/],
  'a missing option': [['score', '--model', 'm', '--input', 'i'], /'--output <uri>' not specified/],
  'a missing argument': [['inspect'], /missing required argument 'uri'/],
  'an option without its value': [['score', '--model'], /'--model <dir>' argument missing/],
  'one argument too many': [['inspect', 'a', 'b'], /too many arguments/],
  'zero workers': [['score', '--workers', '0'], /whole number from 1 to 256/],
  'half a worker': [['score', '--workers', '1.5'], /whole number from 1 to 256/],
  'workers that are no number': [['evaluate', '--workers', 'many'], /whole number from 1 to 256/],
  'workers left empty': [['evaluate', '--workers', ''], /whole number from 1 to 256/],
  // What an unset variable of a shell script gives; as a path it would be the root folder.
  'an empty output': [
    ['score', '--model', 'm', '--input', 'i', '--output', ''],
    /'--output <uri>' argument '' is invalid/,
  ],
  'an empty URI': [['inspect', ''], /'' is invalid/],
};

beforeAll(async () => {
  const lines: [string, readonly string[]][] = [
    ['--help', ['--help']],
    ['--version', ['--version']],
    ...COMMANDS.map((command): [string, readonly string[]] => [`${command} --help`, [command, '--help']]),
    ...Object.entries(WRONG).map(([name, [args]]): [string, readonly string[]] => [name, args]),
  ];
  await Promise.all(
    lines.map(async ([name, args]) => {
      runs.set(name, await runMain(...args));
    }),
  );
});

describe('help', () => {
  test('of the program names every command and the exit codes', () => {
    const { exitCode, stdout, stderr } = runs.get('--help')!;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('Exit codes: 0 done, 1 failed (part of the work may be done), 2 wrong usage.');
  });

  test.each(COMMANDS)('of %s tells its options, the common ones and the exit codes', (command) => {
    const { exitCode, stdout, stderr } = runs.get(`${command} --help`)!;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`Usage: ncs4cvr ${command} `);
    expect(stdout).toContain('--verbose');
    expect(stdout).toContain('Exit codes:');
    if (command !== 'inspect') expect(stdout).toContain('--json');
    if (command === 'score' || command === 'evaluate') expect(stdout).toMatch(/--workers <n> .*default: \d+/);
  });

  test('the version is that of package.json, with the digest of the code', () => {
    const { version } = JSON.parse(readFileSync(`${repository}package.json`, 'utf8')) as { version: string };
    const { exitCode, stdout, stderr } = runs.get('--version')!;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^\S+\+[0-9a-f]{12}\n$/);
    expect(stdout.split('+')[0]).toBe(version);
  });

  test('npx ncs4cvr works from the checkout', async () => {
    const { exitCode, stdout } = await run('npx', ['--no', '--offline', 'ncs4cvr', '--help'], repository);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: runs.get('--help')!.stdout });
  });

  test('a reader that closes the pipe early is no failure', async () => {
    const child = spawn(process.execPath, [mainScript, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (bytes: Buffer) => {
      stderr += bytes;
    });
    const [exitCode] = (await once(child, 'close')) as [number];
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  });
});

describe('wrong usage ends with exit code 2 and says why on stderr', () => {
  test.each(Object.entries(WRONG))('%s', (name, [, says]) => {
    const { exitCode, stdout, stderr } = runs.get(name)!;
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('numbers for people', () => {
  test('seconds', () => {
    expect([0, 59.4, 59.6, 75, 3599, 3600, 7384, -1].map(formatSeconds)).toEqual([
      '0s',
      '59s',
      '1m00s',
      '1m15s',
      '59m59s',
      '1h00m',
      '2h03m',
      '0s',
    ]);
    expect([Number.POSITIVE_INFINITY, Number.NaN].map(formatSeconds)).toEqual(['?', '?']);
  });

  test('counts and metrics', () => {
    expect([0, 999.6, 1_234_567].map(formatCount)).toEqual(['0', '1,000', '1,234,567']);
    expect([0.74123, 1, null].map(formatMetric)).toEqual(['0.7412', '1.0000', '-']);
  });
});
