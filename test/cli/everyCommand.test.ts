// Each command once as it should go and once with a bad input, both with `--json`: in the order in which somebody would call them,
// on what the ones before have made.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { callMain } from './callMain.ts';
import { runMain } from './runMain.ts';

const folder = temporaryFolder();
const at = (...names: readonly string[]) => join(folder, ...names);
const [data, model] = [at('data'), at('shop/model')];
const [scores, plain, plan, job] = [
  at('shop/scores'),
  at('plain.onnx'),
  at('plan.json'),
  at('shop/job.jsonc'),
];
const DAY = 'dt=2024-03-03';
const BLOCKED_DAY = 'dt=2024-03-02';
const nowhere = at('nowhere');

interface Case {
  readonly good: () => readonly string[];
  /** Keys of the one object that is printed. */
  readonly prints: readonly string[];
  readonly bad: readonly string[];
  readonly code: string;
  /** Of the good one. */
  readonly exitCode?: number;
}

/** The first row's key as `explain` takes it. */
function firstKey(): string {
  const parts = at('shop/scores/parts', DAY);
  const file = readdirSync(parts, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.arrow'),
  )!;
  return `impression_id=${tableFromIPC(readFileSync(join(parts, file)))
    .getChild('impression_id')!
    .get(0)}`;
}

/** A job document with other gates. */
function jobWith(name: string, gates: object): string {
  const text = readFileSync(job, 'utf8').replace('"jobVersion": 1,', `$& "gates": ${JSON.stringify(gates)},`);
  writeFileSync(at('shop', name), text);
  return at('shop', name);
}

const CASES: readonly (readonly [command: string, Case])[] = [
  [
    'synth',
    {
      good: () => ['--output', data, '--days', '3', '--rows-per-day', '600'],
      prints: ['rows', 'options'],
      bad: ['--output', at('elsewhere'), '--days', 'many'],
      code: 'USAGE',
    },
  ],
  [
    'init',
    {
      good: () => ['--sample', data, '--output', at('shop')],
      prints: ['config', 'job', 'next', 'columns'],
      bad: ['--sample', nowhere],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'train',
    {
      good: () => [
        at('shop/training.jsonc'),
        ...['--data', data, '--output', model, '--report', at('shop/model.html')],
      ],
      prints: ['model', 'modelVersion', 'report'],
      bad: [nowhere, '--data', data, '--output', at('elsewhere')],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'export',
    {
      good: () => [model, '--plain', plain],
      prints: ['file', 'modelVersion', 'sizeBytes'],
      bad: [nowhere, '--plain', at('elsewhere')],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'bundle',
    {
      good: () => ['--onnx', plain, '--contract', model, '--data', data, '--output', at('own')],
      prints: ['model', 'modelVersion'],
      bad: [
        '--onnx',
        join(data, 'config.json'),
        '--contract',
        model,
        '--data',
        data,
        '--output',
        at('elsewhere'),
      ],
      code: 'GRAPH_UNREADABLE',
    },
  ],
  [
    'inspect',
    {
      good: () => [model, '--verify'],
      prints: ['kind', 'uri', 'facts', 'tables'],
      bad: [join(data, 'config.json')],
      code: 'INSPECT_UNKNOWN',
    },
  ],
  [
    'evaluate',
    {
      good: () => ['--model', model, '--input', data],
      prints: ['click', 'conversion', 'ctcvr'],
      bad: ['--model', nowhere, '--input', data],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'score',
    {
      good: () => ['--model', model, '--input', data, '--output', at('files')],
      prints: ['rows', 'shards', 'failures'],
      bad: ['--model', model, '--input', nowhere, '--output', at('elsewhere')],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'tune',
    {
      good: () => ['--model', model, '--input', data, '--deadline', '600'],
      prints: ['measured', 'recommended'],
      bad: ['--model', nowhere, '--input', data],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'doctor',
    {
      good: () => ['--model', model, '--input', data, '--scores', scores],
      prints: ['findings'],
      bad: ['--modle', model],
      code: 'USAGE',
    },
  ],
  [
    'completion',
    {
      good: () => ['bash'],
      prints: ['commands'],
      bad: ['tcsh'],
      code: 'USAGE',
    },
  ],
  [
    'promote',
    {
      good: () => [model, '--models', at('models'), '--channel', 'live'],
      prints: ['channel'],
      bad: [nowhere, '--models', at('models'), '--channel', 'live'],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'plan',
    {
      good: () => ['--job', job, '--output', plan],
      prints: ['partitions', 'estimate', 'stages'],
      bad: ['--job', job, '--partition', 'dt=2031-01-01'],
      code: 'PLAN_NO_PARTITION',
    },
  ],
  [
    'run',
    {
      good: () => ['--plan', plan],
      prints: ['partition', 'partsScored', 'outcome'],
      bad: ['--plan', nowhere],
      code: 'STORAGE_NOT_FOUND',
    },
  ],
  [
    'status',
    {
      good: () => ['--job', job],
      prints: ['states'],
      bad: ['--scores', nowhere],
      code: 'PUBLISH_NO_ROOT',
    },
  ],
  [
    'resolve',
    {
      good: () => ['--scores', scores, '--partition', DAY],
      prints: ['pointer', 'manifest', 'audit'],
      bad: ['--scores', scores, '--partition', 'dt=2031-01-01'],
      code: 'PUBLISH_NOTHING',
    },
  ],
  [
    'export-scores',
    {
      good: () => ['--scores', scores, '--output', at('copy')],
      prints: ['partitions'],
      bad: ['--scores', nowhere, '--output', at('elsewhere')],
      code: 'PUBLISH_NO_ROOT',
    },
  ],
  [
    'explain',
    {
      good: () => ['--scores', scores, '--partition', DAY, '--key', firstKey()],
      prints: ['keys', 'matches', 'scores'],
      bad: ['--scores', scores, '--partition', DAY, '--key', 'impression_id=none'],
      code: 'EXPLAIN_KEY_INVALID',
    },
  ],
  [
    'report',
    {
      good: () => ['--scores', scores, '--partition', DAY, '--output', at('report.html')],
      prints: ['partition'],
      bad: ['--scores', scores, '--partition', 'dt=2031-01-01', '--output', at('elsewhere')],
      code: 'PUBLISH_NOTHING',
    },
  ],
  [
    'release',
    {
      good: () => ['--scores', scores, '--partition', BLOCKED_DAY, '--override', 'seen by eye'],
      prints: ['pointer'],
      bad: ['--scores', scores, '--partition', DAY, '--override', 'nothing is blocked'],
      code: 'PUBLISH_NOT_BLOCKED',
    },
  ],
  [
    'diff',
    {
      good: () => ['--scores', scores, '--partition', DAY],
      prints: ['rows'],
      bad: ['--scores', scores, '--partition', 'dt=2031-01-01'],
      code: 'PUBLISH_NOTHING',
    },
  ],
  [
    'rollback',
    {
      good: () => ['--scores', scores, '--partition', DAY, '--reason', 'a test'],
      prints: ['pointer'],
      bad: ['--scores', scores, '--partition', 'dt=2031-01-01', '--reason', 'a test'],
      code: 'PUBLISH_NO_HISTORY',
    },
  ],
  [
    'gc',
    {
      good: () => ['--scores', scores],
      prints: ['objects'],
      bad: ['--scores', nowhere],
      code: 'PUBLISH_NO_ROOT',
    },
  ],
];

/** What stands between the commands above: a second state, and a partition that a gate blocks. */
const BETWEEN: Readonly<
  Record<string, () => readonly (readonly [exitCode: number, ...args: readonly string[]])[]>
> = {
  release: () => [
    [
      0,
      'plan',
      '--job',
      jobWith('strict.jsonc', { audit: { command: ['false'] } }),
      '--partition',
      BLOCKED_DAY,
      '--output',
      plan,
    ],
    [4, 'run', '--plan', plan, '--allow-audit'],
  ],
  diff: () => [
    [0, 'plan', '--job', job, '--model', at('own'), '--partition', DAY, '--output', plan],
    [0, 'run', '--plan', plan],
  ],
};

/** Tests of commands that need a state machine, or take long. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  redrive: 'redrive.test.ts',
  compare: 'synthAndCompare.test.ts',
};

function printed(stdout: string): Record<string, unknown> {
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout);
}

describe('every command', () => {
  it('is here', async () => {
    const { stdout } = await runMain('completion', 'bash', '--json');
    const { commands } = JSON.parse(stdout) as { commands: readonly { readonly name: string }[] };
    const names = commands.map(({ name }) => name).filter((name) => name !== 'help');
    expect([...CASES.map(([name]) => name), ...Object.keys(ELSEWHERE)].sort()).toEqual(names.sort());
    for (const [name, file] of Object.entries(ELSEWHERE)) {
      const lines = readFileSync(new URL(file, import.meta.url), 'utf8').split('\n');
      expect(lines.filter((line) => line.includes(name) && line.includes("'--json'"))).not.toEqual([]);
    }
  });

  for (const [command, { good, prints, bad, code, exitCode = 0 }] of CASES) {
    it(`${command} does its work and prints it as one object, and so an error`, async () => {
      for (const [expected, ...args] of BETWEEN[command]?.() ?? []) {
        const ran = await runMain(...args);
        expect(ran.exitCode, ran.stderr).toBe(expected);
      }
      const [done, refused] = await Promise.all([
        runMain(command, ...good(), '--json'),
        callMain(command, ...bad, '--json'),
      ]);
      expect(done.exitCode, done.stderr).toBe(exitCode);
      const result = printed(done.stdout);
      expect(Object.keys(Array.isArray(result) ? result[0] : result)).toEqual(
        expect.arrayContaining([...prints]),
      );
      expect(refused.exitCode).toBe(code === 'USAGE' ? 2 : 1);
      const { error } = printed(refused.stdout);
      expect(error).toMatchObject({ code, message: expect.any(String), retryable: false });
    }, 60_000);
  }
});
