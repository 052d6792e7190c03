import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { readSettings } from '../../functions/settings.ts';
import { readPrices } from '../../lib/estimate/readPrices.ts';
import { gateSettingsSchema } from '../../lib/job/gateSettings.ts';
import { parseJob } from '../../lib/job/jobDocument.ts';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { type LambdaFunction, nameIn, ofType, propertyOf, type Statement } from './checks/resources.ts';

// How functions are deployed, what they are told, and what calls them when shards land.
const VARIANTS: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('variants.json', import.meta.url), 'utf8'),
);
const X64 = VARIANTS['own buckets for x64']!.map((param) => `--param=${param}`);
let resources: Resources;

beforeAll(() => {
  resources = resolveTemplate(packagedTemplate('prod'));
}, 60_000);

const property = (name: string, ...path: readonly string[]): unknown => propertyOf(resources, name, ...path);

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
      const model = { models: 's3://ModelsBucket', channel: 'live' };
      expect(job).toEqual(parseJob({ ...buckets, model, shardPattern: '**' }));
    }
    const params = {
      partitions: 'region=/date=%Y%m%d',
      timeZone: 'Asia/Tokyo',
      completeness: '{"kind":"shards","count":24}',
      newest: '{"lookBackDays":3,"allowFuture":true}',
      tolerated: '{"brokenShards":2}',
      badRows: '{"deadLetter":{"maxRows":7}}',
      channel: 'next',
      targetRows: '5000',
      shardPattern: 'part-*',
      gates: '{"rows":{"lowest":0.5},"audit":{"action":"warn","timeoutSeconds":60}}',
      auditFunction: 'scores-audit:live',
    };
    const given = Object.entries(params).map(([name, value]) => `--param=${name}=${value}`);
    const { channel, auditFunction, ...keys } = params;
    expect(jobOf('Plan', resolveTemplate(packagedTemplate('prod', ...given)))).toEqual(
      parseJob({
        ...buckets,
        ...keys,
        model: { models: 's3://ModelsBucket', channel },
        completeness: JSON.parse(params.completeness),
        newest: JSON.parse(params.newest),
        tolerated: { brokenShards: 2 },
        badRows: { deadLetter: { maxRows: 7 } },
        targetRows: 5000,
        gates: {
          rows: { lowest: 0.5 },
          audit: { action: 'warn', timeoutSeconds: 60, function: auditFunction },
        },
      }),
    );
  });

  it('that read every footer of a first plan have all the time that Lambda gives, as the scorers have', () => {
    expect(property('PlanLambdaFunction', 'Timeout')).toBe(900);
    expect(property('ScoreLambdaFunction', 'Timeout')).toBe(900);
  });

  it('that publish have time for the longest audit by a function, and for their own work', () => {
    const audit = (timeoutSeconds: number) => ({ audit: { function: 'scores-audit', timeoutSeconds } });
    expect(gateSettingsSchema.safeParse(audit(600)).success).toBe(true);
    expect(gateSettingsSchema.safeParse(audit(601)).success).toBe(false);
    expect(property('PublishLambdaFunction', 'Timeout')).toBe(900);
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
