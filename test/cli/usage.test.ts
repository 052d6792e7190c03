import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../lib/cli/runCli.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';
import { definedCommands } from './definedCommands.ts';
import { type FinishedRun, mainScript, run } from './runMain.ts';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** Names in the list of commands that the program's help prints, without commander's own `help`. */
function listedCommands(help: string): string[] {
  const list = help.slice(help.indexOf('\nCommands:\n')).split('\n\n')[0]!;
  return [...list.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name!).filter((name) => name !== 'help');
}

const COMMANDS = (await definedCommands()).map((command) => command.name());
/** Runs a command line in this process: a help text doesn't need a process of its own. */
async function runHere(...args: readonly string[]): Promise<FinishedRun> {
  const output = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      output[name] += String(text);
      return true;
    }),
  );
  try {
    const exitCode = await runCli(args);
    return { exitCode, ...output };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}

/** Command lines below that need a process, each run once, all at the same time: starting Node is most of their cost. */
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
  'a promotion of nothing': [
    ['promote', '--models', 'm', '--channel', 'live'],
    /either a bundle, --back or --to is needed/,
  ],
  'a promotion both forth and back': [
    ['promote', 'b', '--models', 'm', '--channel', 'live', '--back'],
    /either a bundle, --back or --to is needed/,
  ],
  'a step back to a digest': [
    ['promote', '--models', 'm', '--channel', 'live', '--back', '--to', 'abcd'],
    /cannot be used with option/,
  ],
  'a path for a channel': [
    ['promote', 'b', '--models', 'm', '--channel', '../live'],
    /expected a name of a-z/,
  ],
  'a version for a digest': [
    ['promote', '--models', 'm', '--channel', 'live', '--to', 'v7'],
    /expected 4 to 64 lower-case hex digits/,
  ],
  'an unknown option': [['inspect', 'x', '--fast'], /unknown option '--fast'/],
  'an option that is nearly one, before those that are missing': [
    ['score', '--modle', 'm'],
    /unknown option '--modle'\n\(Did you mean --model\?\)/,
  ],
  'an option in another case': [['score', '--Model', 'm'], /\(Did you mean --model\?\)/],
  "another command's word for the shards": [['init', '--data', 'd'], /\(Did you mean --sample\?\)/],
  'the same for a command that has --data': [
    ['train', 'c', '--input', 'd', '--output', 'o'],
    /\(Did you mean --data\?\)/,
  ],
  'the beginning of an option': [['score', '--out', 'o'], /\(Did you mean --output\?\)/],
  'a missing option': [['score', '--model', 'm', '--input', 'i'], /'--output <uri>' not specified/],
  'scores of nothing': [['score', '--model', 'm', '--output', 'o'], /either --input or --files is needed/],
  'scores of a folder and a list': [
    ['score', '--model', 'm', '--input', 'i', '--files', 'f', '--output', 'o'],
    /either --input or --files is needed/,
  ],
  'a training on nothing': [['train', 'c', '--output', 'o'], /either --data or --files is needed/],
  'a training on a folder and a list': [
    ['train', 'c', '--data', 'd', '--files', 'f', '--output', 'o'],
    /either --data or --files is needed/,
  ],
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
  'an empty URI': [['inspect', ''], /'' is no <\w+>: expected/],
  'two partitions of one': [
    ['release', '--scores', 's', '--partition', 'dt=1', '--override', 'x', '--partition', 'dt=2'],
    /expected one partition, and dt=1 is one/,
  ],
  'two values of a key': [
    ['explain', '--scores', 's', '--partition', 'p', '--key', 'a=1', '--key', 'b=1', '--key', 'a=2'],
    /expected one value of a/,
  ],
  'days without a job': [['status', '--scores', 's', '--to', '2024-03-01'], /--from and --to need --job/],
  'rows of no data': [['report', '--model', 'm', '--output', 'o', '--rows', '500'], /--rows needs --data/],
  ...Object.fromEntries(
    [['plan'], ['status'], ['export-scores', '--output', 'o']].map((command) => [
      `days of ${command[0]} that end before they begin`,
      [
        [...command, '--job', 'j', '--from', '2024-03-02', '--to', '2024-03-01'],
        /--from 2024-03-02 is later than --to 2024-03-01/,
      ],
    ]),
  ),
};

beforeAll(async () => {
  const lines: [string, readonly string[]][] = [
    ['--help', ['--help']],
    ['--version', ['--version']],
    ...Object.entries(WRONG).map(([name, [args]]): [string, readonly string[]] => [name, args]),
  ];
  await Promise.all(
    lines.map(async ([name, args]) => {
      runs.set(name, await callMain(...args));
    }),
  );
});

describe('help', () => {
  test('of the program names every command that lib/cli defines, nothing else, and the exit codes', () => {
    const { exitCode, stdout, stderr } = runs.get('--help')!;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(COMMANDS.length).toBeGreaterThan(10);
    expect(listedCommands(stdout).sort()).toEqual([...COMMANDS].sort());
    expect(stdout).toContain(
      'Exit codes: 0 done, 1 failed (part of the work may be done), 2 wrong usage;\nof `run` also 3 held or superseded, 4 refused, or blocked by a gate.',
    );
  });

  test.each(COMMANDS)('of %s tells its options, the common ones and the exit codes', async (command) => {
    const { exitCode, stdout, stderr } = await runHere(command, '--help');
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain(`Usage: ncs4cvr ${command} `);
    expect(stdout).toContain('--verbose');
    expect(stdout).toContain('Exit codes:');
    expect(stdout).toContain('--json');
    expect(stdout).toContain('--quiet');
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80);
    if (command === 'score' || command === 'evaluate')
      expect(stdout).toMatch(/--workers <n> .*default: one per core/);
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

describe('--json', () => {
  test('prints wrong usage as an object too', async () => {
    const { exitCode, stdout } = await runHere('score', '--modle', 'm', '--json');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'USAGE',
        message: "unknown option '--modle'\n(Did you mean --model?)",
        retryable: false,
      },
    });
  });

  test('prints an error as an object with its code, place, and what to do', async () => {
    const { exitCode, stdout, stderr } = await runHere('status', '--scores', '/nowhere/at/all', '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'PUBLISH_NO_ROOT',
        message: expect.stringContaining('PUBLISH_NO_ROOT'),
        file: '/nowhere/at/all',
        expected: expect.any(String),
        found: expect.any(String),
        retryable: false,
        remedy: expect.stringContaining('check --scores'),
      },
    });
    expect(stderr).toContain('what to do: check --scores');
  });

  test('prints every problem of a document by itself', async () => {
    const config = join(temporaryFolder(), 'bad.json');
    writeFileSync(config, '{"labels": {"click": 3}}');
    const { stdout } = await runHere('train', config, '--data', 'd', '--output', 'o', '--json');
    const { error } = JSON.parse(stdout);
    expect(error.code).toBe('TRAINING_CONFIG_INVALID');
    expect(error.problems.length).toBeGreaterThan(2);
  });
});

describe('doctor', () => {
  test('looks at the machine and what it is given, and fails when one of them will not do', async () => {
    const { exitCode, stdout } = await runHere(
      'doctor',
      '--input',
      '/nowhere',
      '--scores',
      temporaryFolder(),
      '--json',
    );
    expect(exitCode).toBe(1);
    const { findings } = JSON.parse(stdout);
    const states = Object.fromEntries(findings.map(({ check, state }: never) => [check, state]));
    expect(states).toMatchObject({
      Node: 'ok',
      'ONNX Runtime': 'ok',
      'Parquet decoder': 'ok',
      input: 'failed',
      scores: expect.stringMatching(/ok|warning/),
    });
    expect(findings.find(({ check }: { check: string }) => check === 'input').found).toContain(
      'STORAGE_NOT_FOUND',
    );
  });

  test('looks at the footers of several shards, and fails when one is broken', async () => {
    const input = temporaryFolder();
    const doctor = async () => {
      const { exitCode, stdout } = await runHere('doctor', '--input', input);
      return { exitCode, line: /^input .*/m.exec(stdout)![0] };
    };
    for (const name of ['a', 'b']) {
      writeFileSync(join(input, `${name}.parquet`), funnelShard(funnelRows('2024-03-04', 70), 40));
    }
    expect(await doctor()).toEqual({
      exitCode: 0,
      line: expect.stringMatching(/ok +2 shards; looked at the footers of 2: 140 rows$/),
    });
    writeFileSync(join(input, 'c.parquet'), '');
    expect(await doctor()).toEqual({
      exitCode: 1,
      line: expect.stringMatching(
        /FAILED +3 shards; .* of 3: 140 rows; broken: SHARD_NOT_PARQUET.*c\.parquet/,
      ),
    });
    // Another command that names what is broken, shows the rest and ends like this.
    const { exitCode, stdout } = await runHere('inspect', input);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^impression_id /m);
    expect(stdout).toMatch(/^c\.parquet +SHARD_NOT_PARQUET/m);
  });

  test('makes no scores root that is not there', async () => {
    const root = join(temporaryFolder(), 'not', 'yet');
    const { exitCode } = await runHere('doctor', '--scores', root);
    expect(exitCode).toBe(0);
    expect(existsSync(root)).toBe(false);
  });

  test('finds a root that can never be written to', async () => {
    const { exitCode, stdout } = await runHere('doctor', '--scores', join(repository, 'README.md', 'scores'));
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^scores +FAILED/m);
  });
});

describe('completion', () => {
  test('in bash knows every command and the options of each', async () => {
    const { stdout } = await runHere('completion', 'bash');
    const complete = async (...words: string[]) => {
      const script = `${stdout}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _ncs4cvr; echo "\${COMPREPLY[@]}"`;
      return (await run('bash', ['-c', script])).stdout.trim().split(' ');
    };
    expect((await complete('ncs4cvr', '')).sort()).toEqual([...COMMANDS, 'help'].sort());
    expect(await complete('ncs4cvr', 'score', '--mo')).toEqual(['--model']);
  });

  test('in bash takes the name of a file with blanks for one', async () => {
    const { stdout } = await runHere('completion', 'bash');
    const file = join(temporaryFolder(), 'two words.json');
    writeFileSync(file, '');
    const words = `COMP_WORDS=(ncs4cvr score --model '${file.slice(0, -5)}'); COMP_CWORD=3`;
    const script = `${stdout}\n${words}; _ncs4cvr; printf '%s\\n' "\${COMPREPLY[@]}"`;
    expect((await run('bash', ['-c', script])).stdout).toBe(`${file}\n`);
  });

  test('in a shell that it has no script for says which it has, and which one may be meant', async () => {
    const { exitCode, stdout, stderr } = await runHere('completion', 'fish2', '--json');
    expect(exitCode).toBe(2);
    const said = "'fish2' is no <shell>: expected one of bash, zsh, fish\n(Did you mean fish?)";
    expect(stderr).toContain(`error: ${said}\n`);
    expect(JSON.parse(stdout).error.message).toContain(said);
    expect((await runHere('inspect', '')).stderr).toContain("'' is no <uri>: expected a path or URI");
  });

  test.each(['zsh', 'fish'])('in %s names every command', async (shell) => {
    const { exitCode, stdout } = await runHere('completion', shell);
    expect(exitCode).toBe(0);
    for (const command of COMMANDS) expect(stdout).toContain(command);
  });
});
