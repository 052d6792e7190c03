import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { alarms } from './checks/alarms.ts';
import { functions, retention } from './checks/functions.ts';
import { limits } from './checks/limits.ts';
import type { Keys } from './checks/locations.ts';
import { privacy } from './checks/privacy.ts';
import { queues } from './checks/queues.ts';
import { listed, nameIn, ofType, propertyOf, statementsOf } from './checks/resources.ts';
import { operators, roles } from './checks/roles.ts';
import { type CodeCalls, functionCalls, operatorCalls } from './codeCalls.ts';

// What would be deployed, packaged without credentials. checks.test.ts shows that each check finds what it is for.
const VARIANTS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('variants.json', import.meta.url), 'utf8'),
);
let calls: Readonly<Record<string, CodeCalls>>;
let ofOperators: CodeCalls;
let resources: Resources;

beforeAll(async () => {
  calls = functionCalls();
  await setImmediate();
  ofOperators = operatorCalls();
  resources = resolveTemplate(packagedTemplate('prod'));
}, 120_000);

const page = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
const property = (name: string, ...path: readonly string[]): unknown => propertyOf(resources, name, ...path);

describe.each([
  ['own buckets of dev', 'dev', []],
  ['a stage of the longest name', 'a-branch-of-somebody-whose-names-are-very-long', []],
  ...Object.entries(VARIANTS).map(([name, params]) => [name, 'prod', params] as const),
] as const)('the template of %s', (_, stage, params) => {
  const template = () =>
    resolveTemplate(packagedTemplate(stage, ...params.map((param) => `--param=${param}`)));
  const keyOf = (name: string) => {
    const key = params.find((param) => param.startsWith(`${name}KmsKey=`))?.split('=')[1];
    return key === undefined ? {} : { [name]: key };
  };
  const keys: Keys = { ...keyOf('input'), ...keyOf('models'), ...keyOf('scores') };

  it('lets nobody else in, and nobody without TLS', () => {
    expect(privacy(template())).toEqual([]);
  });

  it('gives each role the actions that its owner calls, on resources of its own', () => {
    expect(roles(template(), calls, keys)).toEqual([]);
  });

  it('gives operators what their commands call', () => {
    expect(operators(template(), ofOperators, keys)).toEqual([]);
  });

  it('loses no message: dead letters that are watched, hidden for six times the timeout', () => {
    expect(queues(template())).toEqual([]);
  });

  it('watches metrics that AWS or the code emits, of resources that are there, and tells somebody', () => {
    expect(alarms(template(), calls)).toEqual([]);
  });

  it('ends logs, writes traces, reports failures message by message, reserves what is wanted', () => {
    expect(functions(template())).toEqual([]);
  });

  it('has no name and no policy that is longer than AWS takes', () => {
    expect(limits(template())).toEqual([]);
  });

  it('keeps data when the stack goes', () => {
    expect(retention(template())).toEqual([]);
  });
});

describe('alarms', () => {
  it('watch runs that fail or hang, scores that are late, refused, blocked or incomplete, and every function that runs call', () => {
    const watched = ofType<{ MetricName: string; Dimensions: { Value: string }[] }>(
      resources,
      'AWS::CloudWatch::Alarm',
    ).map(([, { MetricName, Dimensions = [] }]) => `${MetricName} ${Dimensions.map(({ Value }) => Value)}`);
    const machine = property('NightlySchedule', 'Target', 'Arn');
    expect(watched).toEqual(
      expect.arrayContaining([
        `ExecutionsFailed ${machine}`,
        `ExecutionsTimedOut ${machine}`,
        ...['newestPublishedAgeHours', 'refused', 'blocked', 'leftIncomplete'].map(
          (name) => `${name} ncs4cvr`,
        ),
        'Errors ncs4cvr-prod-freshness',
        'ApproximateAgeOfOldestMessage EventsQueue',
      ]),
    );
    const rates = ofType<{ Metrics: { Expression?: string; MetricStat?: { Metric: object } }[] }>(
      resources,
      'AWS::CloudWatch::Alarm',
    ).flatMap(([, { Metrics }]) => (Metrics === undefined ? [] : [JSON.stringify(Metrics)]));
    const names = ofType<{ FunctionName: string }>(resources, 'AWS::Lambda::Function').filter(
      ([name]) => name !== 'FreshnessLambdaFunction',
    );
    expect(names.length).toBeGreaterThan(2);
    for (const [, { FunctionName }] of names) {
      expect(watched).toContain(`Throttles ${FunctionName}`);
      const isWatched = rates.some(
        (rate) => rate.includes(`"${FunctionName}"`) && rate.includes('"100 * errors / invocations"'),
      );
      expect(isWatched, FunctionName).toBe(true);
    }
  });

  it('have a section each in the runbook, which names no other ones, and tell it with its first command', async () => {
    const described = new Map<string, string>();
    for (const params of [[], ['--param=input=s3://their-features']]) {
      const template = resolveTemplate(packagedTemplate('prod', ...params));
      const found = ofType<{ AlarmDescription: string }>(template, 'AWS::CloudWatch::Alarm');
      for (const [name, { AlarmDescription }] of found) described.set(name, AlarmDescription!);
      await setImmediate();
    }
    const runbook = page('runbook.md');
    const sections = new Map(
      runbook
        .split('\n## ')
        .slice(1)
        .map((section) => [section.slice(0, section.indexOf('\n')), section]),
    );
    expect([...sections.keys()].filter((name) => name.endsWith('Alarm')).sort()).toEqual(
      [...described.keys()].sort(),
    );
    for (const [name, description] of described) {
      const section = sections.get(name)!;
      const leads = [...section.matchAll(/^\*\*(.+?)\*\*/gm)].map(([, lead]) => lead);
      expect(leads, name).toEqual(['Means:', 'First look:', 'Likely causes:', 'Do:', 'Wait?']);
      const [, command] = /```sh\n(.*)\n```/.exec(section)!;
      const first = command!
        .replaceAll('$STAGE', 'prod')
        .replaceAll('$ARN', String(property('NightlySchedule', 'Target', 'Arn')))
        .replaceAll('$SCORES', 's3://ScoresBucket');
      expect(description).toContain(`. First: ${first}. Then `);
      expect(description).toMatch(new RegExp(`docs/runbook\\.md#${name.toLowerCase()}$`));
      // CloudWatch takes no more.
      expect(description.length).toBeLessThanOrEqual(1024);
    }
  });

  it('of functions that fail show first what the code has logged and what Lambda says of a call that it has ended', () => {
    const failures = [
      '{"level":"ERROR","message":"a message was not understood"}',
      '2026-11-28T02:00:00.000Z\t1b2c\tERROR\tInvoke Error \t{"errorType":"StorageError"}',
      '2026-11-28T02:00:00.000Z 1b2c Task timed out after 900.00 seconds',
      'RequestId: 1b2c Error: Runtime exited with error: signal: killed',
    ];
    const others = [
      '{"level":"INFO","message":"planned dt=2022-05-06"}',
      'REPORT RequestId: 1b2c\tDuration: 812.50 ms\tBilled Duration: 813 ms\tMax Memory Used: 512 MB',
    ];
    const described = ofType<{ AlarmDescription: string }>(resources, 'AWS::CloudWatch::Alarm');
    const patterns = described.flatMap(([, { AlarmDescription = '' }]) => {
      const [, pattern] = /--filter-pattern ('[^']+'|\w+)/.exec(AlarmDescription) ?? [];
      return pattern === undefined || pattern === 'refused' ? [] : [pattern];
    });
    // The words after question marks: any of them, with upper and lower case.
    const finds = (pattern: string, line: string) =>
      (pattern.match(/(?<=\?)\w+/g) ?? [pattern]).some((word) => new RegExp(`\\b${word}\\b`).test(line));
    for (const pattern of patterns) {
      expect(failures.filter((line) => !finds(pattern, line))).toEqual([]);
      expect(others.filter((line) => finds(pattern, line))).toEqual([]);
    }
    expect(patterns).toHaveLength(7);
  });

  it('stand on a dashboard with the numbers behind them, at the list price of the stage', async () => {
    const body = String(property('Dashboard', 'DashboardBody'));
    const shown = ['newestPublishedAgeHours', 'rowsScored', 'gateBlocked', 'scoreDrift', 'unseenGrowth'];
    for (const name of [...shown, 'gigabyteSeconds', 'p95', 'ApproximateAgeOfOldestMessage'])
      expect(body).toContain(`"${name}${name === 'gateBlocked' ? '\\' : ''}"`);
    for (const [file, params] of [
      ['prices.json', []],
      ['pricesX64.json', ['--param=arch=x64', '--param=lambdaArchitecture=x86_64']],
    ] as const) {
      const prices = readFileSync(new URL(`../../infra/${file}`, import.meta.url), 'utf8');
      const { dollarsPerGigabyteSecond } = JSON.parse(prices) as { dollarsPerGigabyteSecond: number };
      const template = resolveTemplate(packagedTemplate('prod', ...params));
      const [, factor] = /seconds \* ([0-9.e-]+)"/.exec(
        String(propertyOf(template, 'Dashboard', 'DashboardBody')),
      )!;
      expect(Number(factor)).toBe(dollarsPerGigabyteSecond);
      await setImmediate();
    }
    expect(
      ofType(
        resolveTemplate(packagedTemplate('prod', '--param=dashboard=DISABLED')),
        'AWS::CloudWatch::Dashboard',
      ),
    ).toEqual([]);
  });

  it('and the manual name queues of dead letters that are there', () => {
    const manual = page('operations.md') + page('runbook.md');
    const queues = ofType(resources, 'AWS::SQS::Queue').map(([name]) => name);
    const letters = new Set(manual.match(/\b\w+DeadLetters\b/g));
    expect([...letters].filter((name) => !queues.includes(name))).toEqual([]);
    expect(letters.size).toBeGreaterThan(0);
  });

  it('are followed by commands that the policy for operators allows, or whose rights the runbook names', () => {
    const { PolicyDocument } = resources.OperatorPolicy!.Properties!;
    const given = new Set(statementsOf(PolicyDocument).flatMap(({ Action }) => listed(Action)));
    const runbook = page('runbook.md');
    const letters = page('operations.md').split('\n### Dead letters\n')[1]!.split('\n### ')[0]!;
    const [intro] = runbook.split('\n## ');
    const named = new Set(intro!.match(/(?<=`)[a-z]+:[A-Z]\w+(?=`)/g));
    const called = [...`${runbook}${letters}`.matchAll(/\baws ([a-z]+) ([a-z-]+)/g)];
    const needed = new Set(called.flatMap(([, service, name]) => rightsOf(service!, name!)));
    expect(needed.size).toBeGreaterThan(10);
    expect([...needed].filter((right) => !given.has(right) && !named.has(right))).toEqual([]);
    expect([...named].filter((right) => !needed.has(right) || given.has(right))).toEqual([]);
  });

  it('reach a topic that CloudWatch may use: not one encrypted with a key of AWS', () => {
    expect(property('AlarmTopic', 'KmsMasterKeyId')).toBeUndefined();
  });
});

/** Of a command of AWS's own command line: mostly its name. */
function rightsOf(service: string, name: string): string[] {
  if (service === 'logs' && name === 'tail') return ['logs:FilterLogEvents'];
  const prefix = service === 'stepfunctions' ? 'states' : service;
  const rights = [
    `${prefix}:${name.replaceAll(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase())}`,
  ];
  // It takes the messages as its caller, and puts them into the queue that they came from.
  return name === 'start-message-move-task'
    ? [...rights, 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:SendMessage']
    : rights;
}

describe('the state machine', () => {
  it('is started by the schedule, with a request that the planner takes', () => {
    expect(property('NightlySchedule', 'Target', 'Arn')).toMatch(/:stateMachine:ScoringRun$/);
    expect(property('NightlySchedule', 'Target', 'Input')).toBe('{"partitions":{"kind":"newest"}}');
  });

  it('is started by the clock of the zone that the stage names', () => {
    expect(property('NightlySchedule', 'ScheduleExpressionTimezone')).toBe('UTC');
    const ofStage = resolveTemplate(packagedTemplate('prod', '--param=scheduleTimeZone=America/Los_Angeles'));
    expect(propertyOf(ofStage, 'NightlySchedule', 'ScheduleExpressionTimezone')).toBe('America/Los_Angeles');
  });

  it('tells a queue of arrivals that have failed only where somebody reads it', () => {
    const withoutEvents = resolveTemplate(packagedTemplate('prod', '--param=events=DISABLED'));
    for (const [template, isRead] of [
      [resources, true],
      [withoutEvents, false],
    ] as const) {
      const [[, mapping]] = ofType<{ Enabled: boolean }>(template, 'AWS::Lambda::EventSourceMapping') as [
        [string, { Enabled: boolean }],
      ];
      expect(mapping.Enabled).toBe(isRead);
      expect(propertyOf(template, 'ArrivalRunsEnded', 'State')).toBe(isRead ? 'ENABLED' : 'DISABLED');
    }
  });

  it('knows each function by the name that the definition has for it', () => {
    const substitutions = property('ScoringRun', 'DefinitionSubstitutions') as Record<string, string>;
    expect(Object.entries(substitutions).map(([name, arn]) => [name, nameIn(arn)])).toEqual([
      ['PlanFunctionArn', 'ncs4cvr-prod-plan'],
      ['ScoreFunctionArn', 'ncs4cvr-prod-score'],
      ['PublishFunctionArn', 'ncs4cvr-prod-publish'],
    ]);
  });
});
