import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../functions/settings.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { alarms } from './checks/alarms.ts';
import { functions, retention } from './checks/functions.ts';
import type { Keys } from './checks/locations.ts';
import { privacy } from './checks/privacy.ts';
import { queues } from './checks/queues.ts';
import { type LambdaFunction, listed, nameIn, ofType, type Statement } from './checks/resources.ts';
import { allowances, operators, roles } from './checks/roles.ts';
import { type CodeCalls, functionCalls, operatorCalls } from './codeCalls.ts';

// What would be deployed, packaged without credentials. checks.test.ts shows that each check finds what it is for.
const VARIANTS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('variants.json', import.meta.url), 'utf8'),
);
const X64 = VARIANTS['own buckets for x64']!.map((param) => `--param=${param}`);
let calls: Readonly<Record<string, CodeCalls>>;
let ofOperators: CodeCalls;
let resources: Resources;

beforeAll(async () => {
  calls = functionCalls();
  await setImmediate();
  ofOperators = operatorCalls();
  resources = resolveTemplate(packagedTemplate('prod'));
}, 120_000);
// Packaging takes seconds without a pause, in which this process doesn't answer the one that runs it.
beforeEach(() => setImmediate());

const property = (name: string, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown>)?.[key],
    resources[name]!.Properties,
  );

describe.each([
  ['own buckets of dev', 'dev', []],
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

  it('keeps data when the stack goes', () => {
    expect(retention(template())).toEqual([]);
  });
});

describe('what functions may write', () => {
  const allowed = () =>
    ofType<object>(resources, 'AWS::IAM::Role').map(
      ([name, role]) => [name, allowances(name, role, resources)] as const,
    );
  const may = (action: string) => (statement: Statement) => listed(statement.Action).includes(action);
  const writers = (folder: string) =>
    allowed()
      .filter(([, statements]) =>
        statements
          .filter(may('s3:PutObject'))
          .some(({ Resource }) => listed(Resource).includes(`arn:aws:s3:::ScoresBucket/${folder}/*`)),
      )
      .map(([name]) => name);

  it('is below folders of the scores, each of them by those that have to', () => {
    const written = allowed().flatMap(([, statements]) =>
      statements.filter(may('s3:PutObject')).flatMap(({ Resource }) => listed(Resource)),
    );
    // Both functions that start runs of arrivals note them; a run's items and what became of them are below one folder.
    const folders = [
      '.probe',
      'announced',
      'arrivals',
      'arrivals',
      'audits',
      'broken',
      'manifests',
      'parts',
      'plans',
      'pointers',
      'receipts',
      'runs',
      'runs',
      'segments',
      'shapes',
      'shapes',
    ];
    expect(written.sort()).toEqual(folders.map((folder) => `arn:aws:s3:::ScoresBucket/${folder}/*`));
    expect(writers('arrivals')).toEqual(['PlanRole', 'ArrivalsRole']);
    expect(writers('plans')).toEqual(['PlanRole']);
    expect(writers('pointers')).toEqual(['PublishRole']);
    expect(writers('manifests')).toEqual(['PublishRole']);
    expect(writers('announced')).toEqual(['PublishRole']);
    expect(writers('parts')).toEqual(['ScoreRole']);
    expect(writers('receipts')).toEqual(['ScoreRole']);
    expect(writers('runs')).toEqual(['PlanRole', 'ScoringRunRole']);
  });

  it('and the state machine writes what became of its items where its role may', () => {
    for (const params of [[], ['--param=scores=s3://our-data/scores/v2']]) {
      const template = resolveTemplate(packagedTemplate('prod', ...params));
      const { Variables } = template.PlanLambdaFunction!.Properties!.Environment as {
        Variables: NodeJS.ProcessEnv;
      };
      // Where the plan function sends both maps.
      const results = joinUri(readSettings(Variables).JOB.scores, 'runs');
      const machine = template.ScoringRun!.Properties!;
      const prefixes = JSON.stringify(machine.Definition).matchAll(/"Prefix\.\$":"([^"]*)"/g);
      expect([...prefixes].map(([, path]) => path)).toEqual(['$.run.results.prefix', '$.results.prefix']);
      const [, role] = ofType<object>(template, 'AWS::IAM::Role').find(
        ([name]) => name === 'ScoringRunRole',
      )!;
      const written = allowances('ScoringRunRole', role, template).filter(may('s3:PutObject'));
      expect(written.flatMap(({ Resource }) => listed(Resource))).toEqual([
        `${results.replace('s3://', 'arn:aws:s3:::')}/*`,
      ]);
    }
  });

  it('can start nothing: only features tell of new objects, and no role sends to the queue of events', () => {
    const telling = Object.keys(resources).filter((name) => property(name, 'NotificationConfiguration'));
    expect(telling).toEqual(['FeaturesBucket']);
    for (const [name, statements] of allowed()) {
      const sent = statements.filter(may('sqs:SendMessage')).flatMap(({ Resource }) => listed(Resource));
      expect(sent.map(nameIn), name).not.toContain('EventsQueue');
    }
  });

  it('is never deleted by them, but for pieces of a part that is whole', () => {
    const risky = allowed().flatMap(([name, statements]) =>
      statements
        .filter(({ Action }) =>
          listed(Action).some((action) => /^s3:(Delete|PutBucket|PutObjectAcl)/.test(action)),
        )
        .map(({ Action, Resource }) => [name, listed(Action), listed(Resource)]),
    );
    expect(risky).toEqual([['ScoreRole', ['s3:DeleteObject'], ['arn:aws:s3:::ScoresBucket/segments/*']]]);
  });
});

describe('buckets', () => {
  it('of scores expire what nothing can refer to: former versions after a month, records of runs after their days', () => {
    const { Rules } = property('ScoresBucket', 'LifecycleConfiguration') as {
      Rules: Record<string, unknown>[];
    };
    const expiring = Rules.filter((rule) => Object.keys(rule).some((key) => /Expiration/.test(key)));
    const byAge = expiring.filter((rule) => 'ExpirationInDays' in rule || 'ExpirationDate' in rule);
    expect(byAge.map(({ Prefix, ExpirationInDays }) => [Prefix, ExpirationInDays])).toEqual([
      ['plans/', 90],
      ['runs/', 90],
      ['segments/', 90],
    ]);
    const former = expiring.filter((rule) => !byAge.includes(rule));
    expect(former).toMatchObject([
      { NoncurrentVersionExpiration: { NoncurrentDays: 30 }, ExpiredObjectDeleteMarker: true },
    ]);
    expect(Rules.every(({ Status }) => Status === 'Enabled')).toBe(true);
  });

  it('keep former versions where something changes: pointers, and models by mistake', () => {
    for (const name of ['ModelsBucket', 'ScoresBucket']) {
      expect(property(name, 'VersioningConfiguration')).toEqual({ Status: 'Enabled' });
    }
  });
});

describe('alarms', () => {
  it('watch runs that fail or hang, scores that are late, refused or incomplete, and every function that runs call', () => {
    const watched = ofType<{ MetricName: string; Dimensions: { Value: string }[] }>(
      resources,
      'AWS::CloudWatch::Alarm',
    ).map(([, { MetricName, Dimensions = [] }]) => `${MetricName} ${Dimensions.map(({ Value }) => Value)}`);
    const machine = property('NightlySchedule', 'Target', 'Arn');
    expect(watched).toEqual(
      expect.arrayContaining([
        `ExecutionsFailed ${machine}`,
        `ExecutionsTimedOut ${machine}`,
        ...['newestPublishedAgeHours', 'refused', 'incomplete'].map((name) => `${name} ncs4cvr`),
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

  it('are in the manual, which says what to do about each, and names no other ones', () => {
    const named = new Set<string>();
    for (const params of [[], ['--param=input=s3://their-features']]) {
      const template = resolveTemplate(packagedTemplate('prod', ...params));
      for (const [name] of ofType(template, 'AWS::CloudWatch::Alarm')) named.add(name);
    }
    const manual = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
    const [, section = ''] = manual.split('\n## Alarms\n');
    const rows = section
      .split('\n## ')[0]!
      .split('\n')
      .filter((line) => line.startsWith('| `'));
    const explained = rows.flatMap((row) => row.split(' | ')[0]!.match(/\w+Alarm\b/g) ?? []);
    expect(explained.sort()).toEqual([...named].sort());
    const queues = ofType(resources, 'AWS::SQS::Queue').map(([name]) => name);
    const letters = new Set(manual.match(/\b\w+DeadLetters\b/g));
    expect([...letters].filter((name) => !queues.includes(name))).toEqual([]);
    expect(letters.size).toBeGreaterThan(0);
  });

  it('reach a topic that CloudWatch may use: not one encrypted with a key of AWS', () => {
    expect(property('AlarmTopic', 'KmsMasterKeyId')).toBeUndefined();
  });
});

describe('the state machine', () => {
  it('is started by the schedule, with a request that the planner takes', () => {
    expect(property('NightlySchedule', 'Target', 'Arn')).toMatch(/:stateMachine:ScoringRun$/);
    expect(property('NightlySchedule', 'Target', 'Input')).toBe('{"partitions":{"kind":"newest"}}');
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

describe('what lands', () => {
  const mapping = 'ArrivalsEventSourceMappingSQSEventsQueue';

  it('starts runs, after a wait that both functions know, unless the stage takes no events', () => {
    const variables = (name: string, template = resources) =>
      template[`${name}LambdaFunction`]!.Properties!.Environment as { Variables: Record<string, string> };
    expect(variables('Arrivals').Variables).toMatchObject({
      STATE_MACHINE_ARN: property('NightlySchedule', 'Target', 'Arn'),
      ARRIVAL_WAIT_SECONDS: '120',
    });
    expect(variables('Plan').Variables.ARRIVAL_WAIT_SECONDS).toBe('120');
    expect(property(mapping, 'Enabled')).toBe(true);
    const changed = ['--param=events=DISABLED', '--param=arrivalWaitSeconds=5'];
    const silent = packagedTemplate('prod', ...changed);
    expect(silent[mapping]!.Properties!.Enabled).toBe(false);
    for (const name of ['Arrivals', 'Plan']) {
      expect(variables(name, silent).Variables.ARRIVAL_WAIT_SECONDS).toBe('5');
    }
  });

  it('is taken up again after a run of arrivals that could not finish: a rule tells the queue', () => {
    expect(property('ArrivalRunsEnded', 'EventPattern')).toEqual({
      source: ['aws.states'],
      'detail-type': ['Step Functions Execution Status Change'],
      detail: {
        stateMachineArn: [property('NightlySchedule', 'Target', 'Arn')],
        name: [{ prefix: 'arrival-' }],
        status: ['FAILED', 'TIMED_OUT', 'ABORTED'],
      },
    });
    const [target] = property('ArrivalRunsEnded', 'Targets') as { Arn: string }[];
    expect(nameIn(target!.Arn)).toBe('EventsQueue');
    const { Statement } = property('EventsQueuePolicy', 'PolicyDocument') as { Statement: Statement[] };
    const services = Statement.filter(({ Effect }) => Effect === 'Allow').flatMap(
      ({ Principal }) => (Principal as { Service: string | string[] }).Service,
    );
    expect(services).toEqual(['s3.amazonaws.com', 'sns.amazonaws.com', 'events.amazonaws.com']);
  });
});

describe('functions', () => {
  it('run on the architecture that the zips are built for', () => {
    for (const name of ['Arrivals', 'Plan', 'Score', 'Publish']) {
      const architectureOf = (template: Resources) =>
        template[`${name}LambdaFunction`]!.Properties!.Architectures;
      expect(architectureOf(resources)).toEqual(['arm64']);
      expect(architectureOf(packagedTemplate('prod', ...X64))).toEqual(['x86_64']);
      expect(property(`${name}LambdaFunction`, 'Runtime')).toBe('nodejs24.x');
    }
  });

  it("are told of the job: the stage's buckets, and what its parameters say of the partitions", () => {
    const jobOf = (name: string, template: Resources) => {
      const { Variables } = template[`${name}LambdaFunction`]!.Properties!.Environment as {
        Variables: NodeJS.ProcessEnv;
      };
      return readSettings(Variables).JOB;
    };
    const buckets = { input: 's3://FeaturesBucket', scores: 's3://ScoresBucket' };
    for (const name of ['Arrivals', 'Plan', 'Score', 'Publish']) {
      const job = jobOf(name, resources);
      expect(job).toEqual(parseJob({ ...buckets, model: { models: 's3://ModelsBucket', channel: 'live' } }));
    }
    const params = {
      partitions: 'region=/date=%Y%m%d',
      timeZone: 'Asia/Tokyo',
      completeness: '{"kind":"shards","count":24}',
      newest: '{"lookBackDays":3,"allowFuture":true}',
      tolerated: '{"brokenShards":2}',
      channel: 'next',
      targetRows: '5000',
    };
    const given = Object.entries(params).map(([name, value]) => `--param=${name}=${value}`);
    const { channel, ...keys } = params;
    expect(jobOf('Plan', resolveTemplate(packagedTemplate('prod', ...given)))).toEqual(
      parseJob({
        ...buckets,
        ...keys,
        model: { models: 's3://ModelsBucket', channel },
        completeness: JSON.parse(params.completeness),
        newest: JSON.parse(params.newest),
        tolerated: { brokenShards: 2 },
        targetRows: 5000,
      }),
    );
  });

  it('that read every footer of a first plan have all the time that Lambda gives, as the scorers have', () => {
    expect(property('PlanLambdaFunction', 'Timeout')).toBe(900);
    expect(property('ScoreLambdaFunction', 'Timeout')).toBe(900);
  });

  it('reserve nothing unless asked to: the first quota of an account is ten at a time, all of them unreserved', () => {
    const reservedBy = (stage: string, ...params: readonly string[]) =>
      ofType<LambdaFunction>(
        resolveTemplate(packagedTemplate(stage, ...params)),
        'AWS::Lambda::Function',
      ).map(([, { ReservedConcurrentExecutions }]) => ReservedConcurrentExecutions);
    expect(reservedBy('dev').filter((reserved) => reserved !== undefined)).toEqual([]);
    expect(reservedBy('prod').filter((reserved) => reserved !== undefined)).toEqual([]);
    expect(reservedBy('prod', '--param=scoreConcurrency=60')).toContain(60);
  });

  it('that publish, and no others, are told of the bus that they may tell', () => {
    const busOf = (template: Resources, name: string) =>
      (template[`${name}LambdaFunction`]!.Properties!.Environment as { Variables: NodeJS.ProcessEnv })
        .Variables.EVENT_BUS_NAME;
    const rightsOf = (template: Resources) =>
      JSON.stringify(template.PublishAnnouncements!.Properties!.PolicyDocument);
    expect(['Plan', 'Score', 'Publish'].map((name) => busOf(resources, name))).toEqual([
      undefined,
      undefined,
      'default',
    ]);
    expect(rightsOf(resources)).toContain(':event-bus/default"');
    const other = resolveTemplate(packagedTemplate('prod', '--param=eventBus=scores'));
    expect(busOf(other, 'Publish')).toBe('scores');
    expect(rightsOf(other)).toContain(':event-bus/scores"');
  });

  it('are priced as they are deployed', async () => {
    const { memoryMegabytes, concurrency, architecture } = await readPrices();
    expect(property('ScoreLambdaFunction', 'MemorySize')).toBe(memoryMegabytes);
    expect(property('ScoreLambdaFunction', 'Architectures')).toEqual([architecture]);
    const { MAP_CONCURRENCY } = property('PlanLambdaFunction', 'Environment', 'Variables') as Record<
      string,
      string
    >;
    expect(MAP_CONCURRENCY).toBe(String(concurrency));
  });
});
