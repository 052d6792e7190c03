import { beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../functions/settings.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { alarms } from './checks/alarms.ts';
import { functions, retention } from './checks/functions.ts';
import { privacy } from './checks/privacy.ts';
import { queues } from './checks/queues.ts';
import { listed, nameIn, ofType, type Statement } from './checks/resources.ts';
import { allowances, roles } from './checks/roles.ts';
import { type CodeCalls, functionCalls } from './codeCalls.ts';

// What would be deployed, packaged without credentials. checks.test.ts shows that each check finds what it is for.
const X64 = ['--param=arch=x64', '--param=lambdaArchitecture=x86_64'];
let calls: Readonly<Record<string, CodeCalls>>;
let resources: Resources;

beforeAll(() => {
  calls = functionCalls();
  resources = resolveTemplate(packagedTemplate('prod'));
}, 120_000);

const property = (name: string, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown>)?.[key],
    resources[name]!.Properties,
  );

describe.each([
  ['dev', []],
  ['prod', []],
  ['prod for x64', X64],
] as const)('the template of %s', (stage, params) => {
  const template = () => resolveTemplate(packagedTemplate(stage.split(' ')[0]!, ...params));

  it('lets nobody else in, and nobody without TLS', () => {
    expect(privacy(template())).toEqual([]);
  });

  it('gives each role the actions that its owner calls, on resources of its own', () => {
    expect(roles(template(), calls)).toEqual([]);
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
      'arrivals',
      'arrivals',
      'manifests',
      'parts',
      'plans',
      'pointers',
      'receipts',
      'runs',
      'runs',
    ];
    expect(written.sort()).toEqual(folders.map((folder) => `arn:aws:s3:::ScoresBucket/${folder}/*`));
    expect(writers('arrivals')).toEqual(['PlanRole', 'ArrivalsRole']);
    expect(writers('plans')).toEqual(['PlanRole']);
    expect(writers('pointers')).toEqual(['PublishRole']);
    expect(writers('manifests')).toEqual(['PublishRole']);
    expect(writers('parts')).toEqual(['ScoreRole']);
    expect(writers('receipts')).toEqual(['ScoreRole']);
    expect(writers('runs')).toEqual(['PlanRole', 'ScoringRunRole']);
  });

  it('can start nothing: only features tell of new objects, and no role sends to the queue of events', () => {
    const telling = Object.keys(resources).filter((name) => property(name, 'NotificationConfiguration'));
    expect(telling).toEqual(['FeaturesBucket']);
    for (const [name, statements] of allowed()) {
      const sent = statements.filter(may('sqs:SendMessage')).flatMap(({ Resource }) => listed(Resource));
      expect(sent.map(nameIn), name).not.toContain('EventsQueue');
    }
  });

  it('is never deleted by them', () => {
    const actions = allowed().flatMap(([, statements]) => statements.flatMap(({ Action }) => listed(Action)));
    expect(actions.filter((action) => /^s3:(Delete|PutBucket|PutObjectAcl)/.test(action))).toEqual([]);
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
  it('watch runs that fail, hang or are late, and every function that fails or is throttled', () => {
    const watched = ofType<{ MetricName: string; Dimensions: { Value: string }[] }>(
      resources,
      'AWS::CloudWatch::Alarm',
    ).map(([, { MetricName, Dimensions = [] }]) => `${MetricName} ${Dimensions.map(({ Value }) => Value)}`);
    const machine = property('NightlySchedule', 'Target', 'Arn');
    expect(watched).toEqual(
      expect.arrayContaining([
        `ExecutionsFailed ${machine}`,
        `ExecutionsTimedOut ${machine}`,
        `ExecutionsSucceeded ${machine}`,
      ]),
    );
    const rates = ofType<{ Metrics: { Expression?: string; MetricStat?: { Metric: object } }[] }>(
      resources,
      'AWS::CloudWatch::Alarm',
    ).flatMap(([, { Metrics }]) => (Metrics === undefined ? [] : [JSON.stringify(Metrics)]));
    const names = ofType<{ FunctionName: string }>(resources, 'AWS::Lambda::Function');
    expect(names).toHaveLength(4);
    for (const [, { FunctionName }] of names) {
      expect(watched).toContain(`Throttles ${FunctionName}`);
      const isWatched = rates.some(
        (rate) => rate.includes(`"${FunctionName}"`) && rate.includes('"100 * errors / invocations"'),
      );
      expect(isWatched, FunctionName).toBe(true);
    }
  });

  it('tell of a day without a success, and of none reported either, where runs are scheduled', () => {
    const late = {
      Period: 86400,
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 1,
      TreatMissingData: 'breaching',
    };
    expect(resources.RunLateAlarm!.Properties).toMatchObject({ ActionsEnabled: true, ...late });
    const dev = packagedTemplate('dev');
    expect(dev.RunLateAlarm!.Properties).toMatchObject({ ActionsEnabled: false, ...late });
    expect(dev.NightlySchedule!.Properties).toMatchObject({ State: 'DISABLED' });
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
      expect(property(`${name}LambdaFunction`, 'Runtime')).toBe('nodejs22.x');
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
      expect(job).toEqual(parseJob({ ...buckets, model: 's3://ModelsBucket/current' }));
    }
    const params = {
      partitions: 'region=/date=%Y%m%d',
      timeZone: 'Asia/Tokyo',
      completeness: '{"kind":"shards","count":24}',
      newest: '{"lookBackDays":3,"allowFuture":true}',
      model: 'v8',
      targetRows: '5000',
    };
    const given = Object.entries(params).map(([name, value]) => `--param=${name}=${value}`);
    expect(jobOf('Plan', resolveTemplate(packagedTemplate('prod', ...given)))).toEqual(
      parseJob({
        ...buckets,
        ...params,
        model: 's3://ModelsBucket/v8',
        completeness: JSON.parse(params.completeness),
        newest: JSON.parse(params.newest),
        targetRows: 5000,
      }),
    );
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
