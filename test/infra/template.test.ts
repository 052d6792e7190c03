import { beforeAll, describe, expect, it } from 'vitest';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';

// The CloudFormation template that would be deployed, packaged without credentials.
interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
}

let resources: Resources;

const ofType = (type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);
const property = (name: string, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown>)?.[key],
    resources[name]!.Properties,
  );

/** Every statement of a role, its own and those attached to it. */
function statementsOf(role: string): Statement[] {
  const own = (property(role, 'Policies') ?? []) as { PolicyDocument: { Statement: Statement[] } }[];
  const attached = ofType('AWS::IAM::Policy').filter(([, { Properties }]) =>
    JSON.stringify(Properties).includes(`{"Ref":"${role}"}`),
  );
  return [
    ...own.flatMap(({ PolicyDocument }) => PolicyDocument.Statement),
    ...attached.flatMap(([name]) => property(name, 'PolicyDocument', 'Statement') as Statement[]),
  ];
}
const TRACER = ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'];
const SAMPLER = [...TRACER, 'xray:GetSamplingRules', 'xray:GetSamplingTargets'];
const actionsOf = ({ Action }: Statement) => [Action].flat();

beforeAll(() => {
  resources = packagedTemplate('prod');
}, 60_000);

describe('roles', () => {
  const roles = () => ofType('AWS::IAM::Role').map(([name]) => name);

  it('are one a function, and one each for the state machine and its schedule', () => {
    expect(roles().sort()).toEqual([
      'PlanRole',
      'PublishRole',
      'ScheduleRole',
      'ScoreRole',
      'ScoringRunRole',
    ]);
    for (const name of ['Plan', 'Score', 'Publish']) {
      expect(property(`${name}LambdaFunction`, 'Role')).toEqual({ 'Fn::GetAtt': [`${name}Role`, 'Arn'] });
    }
  });

  it('allow named actions on named resources: no wildcard action, no resource that is a wildcard', () => {
    for (const role of roles()) {
      const statements = statementsOf(role);
      expect(statements.length, role).toBeGreaterThan(0);
      for (const statement of statements) {
        for (const action of actionsOf(statement)) expect(action, role).toMatch(/^[a-z0-9]+:[A-Za-z]+$/);
        const isWide = [statement.Resource].flat().includes('*');
        // X-Ray's actions know no resource; nothing else may have a statement with them.
        if (isWide) expect(actionsOf(statement), role).toEqual(role === 'ScoringRunRole' ? SAMPLER : TRACER);
      }
    }
  });

  it('let the state machine describe its own map runs, to count what failed in a map that tolerates it', () => {
    const able = (action: string) =>
      roles().filter((role) => statementsOf(role).some((statement) => actionsOf(statement).includes(action)));
    expect(able('states:DescribeMapRun')).toEqual(['ScoringRunRole']);
    const describing = statementsOf('ScoringRunRole').filter((statement) =>
      actionsOf(statement).includes('states:DescribeMapRun'),
    );
    expect(describing).toEqual([
      {
        Effect: 'Allow',
        Action: ['states:DescribeMapRun'],
        Resource: [
          {
            'Fn::Sub': `arn:\${AWS::Partition}:states:\${AWS::Region}:\${AWS::AccountId}:mapRun:\${ScoringRun.Name}/*`,
          },
        ],
      },
    ]);
  });

  it('let functions and state machine write traces, which both do', () => {
    for (const role of ['PlanRole', 'ScoreRole', 'PublishRole']) {
      expect(statementsOf(role).flatMap(actionsOf), role).toEqual(expect.arrayContaining(TRACER));
    }
    expect(statementsOf('ScoringRunRole').flatMap(actionsOf)).toEqual(expect.arrayContaining(SAMPLER));
    for (const name of ['Plan', 'Score', 'Publish']) {
      expect(property(`${name}LambdaFunction`, 'TracingConfig')).toEqual({ Mode: 'Active' });
    }
    expect(property('ScoringRun', 'TracingConfiguration')).toEqual({ Enabled: true });
  });

  it('let nobody delete or overwrite: no function may delete objects, write inputs or models', () => {
    for (const role of roles()) {
      for (const statement of statementsOf(role)) {
        const actions = actionsOf(statement);
        expect(actions.filter((action) => /^s3:(Delete|PutBucket|PutObjectAcl)/.test(action))).toEqual([]);
        if (!actions.includes('s3:PutObject')) continue;
        expect(JSON.stringify(statement.Resource)).not.toMatch(/FeaturesBucket|ModelsBucket/);
      }
    }
  });

  it('only the publisher may write pointers, only the scorer parts, only the planner plans', () => {
    const writers = (folderName: string) =>
      roles().filter((role) =>
        statementsOf(role).some(
          (statement) =>
            actionsOf(statement).includes('s3:PutObject') &&
            JSON.stringify(statement.Resource).includes(`\${ScoresBucket.Arn}/${folderName}/*`),
        ),
      );
    expect(writers('plans')).toEqual(['PlanRole']);
    expect(writers('pointers')).toEqual(['PublishRole']);
    expect(writers('manifests')).toEqual(['PublishRole']);
    expect(writers('parts')).toEqual(['ScoreRole']);
    expect(writers('receipts')).toEqual(['ScoreRole']);
    expect(writers('runs')).toEqual(['ScoringRunRole']);
  });
});

describe('buckets', () => {
  const buckets = () => ['FeaturesBucket', 'ModelsBucket', 'ScoresBucket'];

  it('are encrypted, private, kept when the stack goes, rid of incomplete uploads, and refuse plain HTTP', () => {
    for (const name of buckets()) {
      expect(JSON.stringify(property(name, 'BucketEncryption'))).toContain('"SSEAlgorithm":"AES256"');
      expect(Object.values(property(name, 'PublicAccessBlockConfiguration') as object)).toEqual([
        true,
        true,
        true,
        true,
      ]);
      expect(resources[name]).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
      expect(JSON.stringify(property(name, 'LifecycleConfiguration'))).toContain(
        'AbortIncompleteMultipartUpload',
      );
      const policy = property(`${name}Policy`, 'PolicyDocument', 'Statement') as (Statement & {
        Condition: object;
      })[];
      expect(policy).toEqual([
        {
          Sid: 'TlsOnly',
          Effect: 'Deny',
          Principal: '*',
          Action: 's3:*',
          Resource: [{ 'Fn::GetAtt': [name, 'Arn'] }, { 'Fn::Sub': `\${${name}.Arn}/*` }],
          Condition: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ]);
      expect(property(`${name}Policy`, 'Bucket')).toEqual({ Ref: name });
    }
  });

  it('only features tell of new objects: an output can start nothing', () => {
    const telling = ofType('AWS::S3::Bucket').filter(
      ([, { Properties }]) => 'NotificationConfiguration' in (Properties ?? {}),
    );
    expect(telling.map(([name]) => name)).toEqual(['FeaturesBucket']);
    for (const { Action, Resource } of statementsOf('ScoreRole').concat(statementsOf('PublishRole'))) {
      if ([Action].flat().includes('sqs:SendMessage'))
        expect(JSON.stringify(Resource)).not.toContain('EventsQueue');
    }
  });

  it('scores lose what gc has deleted after a month, and the records of runs after their days; nothing else by age', () => {
    const { Rules } = property('ScoresBucket', 'LifecycleConfiguration') as { Rules: object[] };
    expect(Rules).toEqual([
      {
        Id: 'IncompleteUploads',
        Status: 'Enabled',
        AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
      },
      {
        Id: 'FormerVersions',
        Status: 'Enabled',
        NoncurrentVersionExpiration: { NoncurrentDays: 30 },
        ExpiredObjectDeleteMarker: true,
      },
      { Id: 'Plans', Status: 'Enabled', Prefix: 'plans/', ExpirationInDays: 90 },
      { Id: 'Runs', Status: 'Enabled', Prefix: 'runs/', ExpirationInDays: 90 },
    ]);
  });

  it('keep former versions where something changes: pointers, and models by mistake', () => {
    for (const name of ['ModelsBucket', 'ScoresBucket']) {
      expect(property(name, 'VersioningConfiguration')).toEqual({ Status: 'Enabled' });
    }
  });
});

describe('queues', () => {
  const sources = () =>
    ofType('AWS::Lambda::EventSourceMapping').map(([name, { Properties }]) => ({
      name,
      queue: (Properties as { EventSourceArn: { 'Fn::GetAtt': string[] } }).EventSourceArn['Fn::GetAtt'][0]!,
      fn: (Properties as { FunctionName: { 'Fn::GetAtt': string[] } }).FunctionName['Fn::GetAtt'][0]!,
    }));

  it('hide a message for six times the timeout of its function, and report failures message by message', () => {
    expect(
      sources()
        .map(({ queue, fn }) => `${queue} ${fn}`)
        .sort(),
    ).toEqual([
      'EventsQueue PlanLambdaFunction',
      'PublishQueue PublishLambdaFunction',
      'UnitsQueue ScoreLambdaFunction',
    ]);
    for (const { name, queue, fn } of sources()) {
      expect(property(queue, 'VisibilityTimeout')).toBe(6 * Number(property(fn, 'Timeout')));
      expect(property(name, 'FunctionResponseTypes')).toEqual(['ReportBatchItemFailures']);
    }
  });

  it('are encrypted, and each has dead letters that an alarm watches', () => {
    for (const [name] of ofType('AWS::SQS::Queue'))
      expect(property(name, 'SqsManagedSseEnabled'), name).toBe(true);
    const watched = ofType('AWS::CloudWatch::Alarm').map(([, { Properties }]) => JSON.stringify(Properties));
    for (const { queue } of sources()) {
      const [deadLetters] = property(queue, 'RedrivePolicy', 'deadLetterTargetArn', 'Fn::GetAtt') as string[];
      expect(
        watched.some((alarm) => alarm.includes(`["${deadLetters}","QueueName"]`)),
        deadLetters,
      ).toBe(true);
    }
  });
});

describe('the rest', () => {
  it('every alarm tells the topic', () => {
    const alarms = ofType('AWS::CloudWatch::Alarm');
    expect(alarms.length).toBeGreaterThan(10);
    for (const [name] of alarms)
      expect(property(name, 'AlarmActions'), name).toEqual([{ Ref: 'AlarmTopic' }]);
    // CloudWatch may not use the key alias/aws/sns: an alarm would reach nobody.
    expect(resources.AlarmTopic!.Properties).toBeUndefined();
  });

  it('alarms watch runs that fail, hang or are late, units that wait, and functions that fail or are throttled', () => {
    const watched = ofType('AWS::CloudWatch::Alarm').flatMap(([, { Properties }]) => {
      const { MetricName, Metrics = [] } = Properties as {
        MetricName?: string;
        Metrics?: { Expression?: string; MetricStat?: { Metric: { MetricName: string } } }[];
      };
      return MetricName ?? Metrics.map(({ Expression }) => Expression).filter(Boolean);
    });
    expect(watched.flat().sort()).toEqual([
      ...Array(3).fill('100 * errors / invocations'),
      'ApproximateAgeOfOldestMessage',
      ...Array(4).fill('ApproximateNumberOfMessagesVisible'),
      'ExecutionsFailed',
      'ExecutionsSucceeded',
      'ExecutionsTimedOut',
      ...Array(3).fill('Throttles'),
    ]);
    // No success for a day, and none reported either: late. It speaks up where a schedule runs.
    expect(resources.RunLateAlarm!.Properties).toMatchObject({
      ActionsEnabled: true,
      Period: 86400,
      ComparisonOperator: 'LessThanThreshold',
      TreatMissingData: 'breaching',
    });
  });

  it('the dashboard shows functions, queues and dead letters that exist', () => {
    const { 'Fn::Sub': body } = property('Dashboard', 'DashboardBody') as { 'Fn::Sub': string };
    const names = [...body.matchAll(/\$\{(\w+)(?:\.\w+)?\}/g)].map(([, name]) => name!);
    expect(new Set(names)).toEqual(
      new Set([
        ...['ScoringRun', 'PlanLambdaFunction', 'ScoreLambdaFunction', 'PublishLambdaFunction'],
        ...['EventsQueue', 'UnitsQueue', 'PublishQueue'],
        ...['EventsDeadLetters', 'UnitsDeadLetters', 'PublishDeadLetters', 'ScheduleDeadLetters'],
      ]),
    );
    for (const name of names) expect(resources[name], name).toBeDefined();
    const { widgets } = JSON.parse(body.replaceAll(/\$\{[^}]*\}/g, 'x'));
    expect(widgets.map(({ properties }: { properties: { title: string } }) => properties.title)).toHaveLength(
      6,
    );
  });

  it('the schedule starts the machine, which knows all three functions by the names in its definition', () => {
    expect(property('NightlySchedule', 'Target', 'Arn')).toEqual({ Ref: 'ScoringRun' });
    const definition = JSON.stringify(property('ScoringRun', 'Definition'));
    const names = [...definition.matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name!);
    expect(Object.keys(property('ScoringRun', 'DefinitionSubstitutions') as object).sort()).toEqual(
      [...new Set(names)].sort(),
    );
    expect(names).toHaveLength(3);
  });

  it('functions have Node 22, a log group with retention, and the score function its reserved concurrency', () => {
    for (const name of ['Plan', 'Score', 'Publish']) {
      expect(resources[`${name}LambdaFunction`]!.Properties).toMatchObject({
        Runtime: 'nodejs22.x',
        Architectures: ['arm64'],
      });
      expect(property(`${name}LogGroup`, 'RetentionInDays')).toBe(30);
    }
    // Room for the map and for the queue's workers.
    expect(property('ScoreLambdaFunction', 'ReservedConcurrentExecutions')).toBe(60);
    expect(property('PlanLambdaFunction', 'Environment', 'Variables', 'MAP_CONCURRENCY')).toBe('50');
  });

  it('the prices that estimates are made with are of the function that is deployed', async () => {
    const { memoryMegabytes, concurrency, architecture } = await readPrices();
    expect(property('ScoreLambdaFunction', 'MemorySize')).toBe(memoryMegabytes);
    expect(property('ScoreLambdaFunction', 'Architectures')).toEqual([architecture]);
    expect(property('PlanLambdaFunction', 'Environment', 'Variables', 'MAP_CONCURRENCY')).toBe(
      String(concurrency),
    );
  });

  it('stages differ by their parameters, and x64 is one of them', () => {
    resources = packagedTemplate('dev', '--param=arch=x64', '--param=lambdaArchitecture=x86_64');
    expect(property('ScoreLambdaFunction', 'Architectures')).toEqual(['x86_64']);
    expect(property('NightlySchedule', 'State')).toBe('DISABLED');
    expect(property('RunLateAlarm', 'ActionsEnabled')).toBe(false);
    expect(property('ScoreLambdaFunction', 'ReservedConcurrentExecutions')).toBe(10);
  }, 60_000);
});
