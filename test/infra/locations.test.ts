import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { packagedTemplate, type Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { statementsOf } from './checks/resources.ts';

const locations: (context: {
  resolveVariable: (address: string) => Promise<string | undefined>;
}) => Promise<object> = createRequire(import.meta.url)('../../infra/locations.cjs');

describe('an input of the account', () => {
  const withInput = (...params: readonly string[]) =>
    packagedTemplate('prod', '--param=input=s3://our-data/raw/features', ...params);
  const notified = (template: Resources) => template.FeaturesBucket!.Properties!.NotificationConfiguration;

  it('tells of what lands below its prefix through EventBridge, and its bucket is left alone', () => {
    const template = resolveTemplate(withInput());
    expect(template.FeaturesBucket).toBeUndefined();
    expect(template.InputEvents!.Properties).toMatchObject({
      EventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: ['our-data'] }, object: { key: [{ prefix: 'raw/features/' }] } },
      },
      Targets: [{ Arn: 'arn:aws:sqs:eu-central-1:123456789012:EventsQueue' }],
    });
    expect(template.InputEventsAlarm!.Properties).toMatchObject({
      MetricName: 'FailedInvocations',
      Dimensions: [{ Name: 'RuleName', Value: 'ncs4cvr-prod-input' }],
    });
    const { PolicyDocument } = template.EventsQueuePolicy!.Properties!;
    expect(statementsOf(PolicyDocument)).toContainEqual({
      Effect: 'Allow',
      Principal: { Service: 'events.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource: 'arn:aws:sqs:eu-central-1:123456789012:EventsQueue',
      Condition: {
        ArnEquals: {
          'aws:SourceArn': ['input', 'ended'].map(
            (rule) => `arn:aws:events:eu-central-1:123456789012:rule/ncs4cvr-prod-${rule}`,
          ),
        },
      },
    });
  });

  it('of the stack tells of every object, whatever its name: the content decides', () => {
    expect(notified(resolveTemplate(packagedTemplate('prod')))).toEqual({
      QueueConfigurations: [
        { Event: 's3:ObjectCreated:*', Queue: 'arn:aws:sqs:eu-central-1:123456789012:EventsQueue' },
      ],
    });
  });

  it('tells of nothing where events are switched off', () => {
    expect(withInput('--param=events=DISABLED').InputEvents).toBeUndefined();
    expect(notified(packagedTemplate('prod', '--param=events=DISABLED'))).toEqual({});
  });

  it.each([
    ['input=our-data', 'param input: expected s3://BUCKET or s3://BUCKET/PREFIX, found our-data'],
    ['input=s3://our-data/a/../b', 'param input: expected s3://'],
    ['models=s3://ours-abc-s3alias', 'param models: expected s3://'],
    ['scores=s3://our-data/*', 'param scores: expected s3://'],
    ['scores=s3://our-data/raw/features/scores', 'scores (s3://our-data/raw/features/scores) lies in input'],
    ['models=s3://our-data', 'input (s3://our-data/raw/features) lies in models (s3://our-data)'],
    ['scoresKmsKey=alias/ours', 'param scoresKmsKey: expected the ARN of a KMS key, found alias/ours'],
    ['events=off', 'param events: expected ENABLED or DISABLED, found off'],
    ['inputList=../tonight.txt', 'param inputList: expected a path below the input that ends with .txt'],
    ['inputList=lists/tonight', 'param inputList: expected a path below the input that ends with .txt'],
    ['inputList=lists/tonight.txt', 'param inputList: a list of files needs --param="events=DISABLED"'],
    ['gates=[]', 'param gates: expected a JSON object, found []'],
    ['gates={', 'param gates: expected a JSON object, found {'],
    ['gates={"audit":{"action":"warn"}}', 'param gates: an audit needs --param="auditFunction=..."'],
    ['gates={"audit":{"function":"f"}}', 'param gates: an audit needs --param="auditFunction=..."'],
    ['auditFunction=a b', 'param auditFunction: expected the name or ARN of a function, found a b'],
    ['runRecordDays=7', 'param runRecordDays: expected at least 16, since failed runs may be redriven'],
    ['runRecordDays=1e2', 'param runRecordDays: expected at least 16'],
    [
      `scores=s3://our-data/${'p'.repeat(117)}`,
      'param scores: expected at most 125 characters of BUCKET/PREFIX, found 126: s3://our-data/ppp',
    ],
    [`sls:stage=${'p'.repeat(47)}`, 'stage: expected at most 46 characters, found 47: ppp'],
    ['scoreConcurrency=0', 'param scoreConcurrency: expected none or a number, found 0'],
  ])('is refused with %s', async (param, message) => {
    const [name, value] = param.split(/=(.*)/s) as [string, string];
    const given: Readonly<Record<string, string>> = {
      ...{ input: 's3://our-data/raw/features', models: '', scores: '' },
      ...{ 'self:service': 'ncs4cvr', 'sls:stage': 'prod' },
      ...{
        inputKmsKey: '',
        modelsKmsKey: '',
        scoresKmsKey: '',
        events: 'ENABLED',
        inputList: '',
        scoreConcurrency: 'none',
        runRecordDays: '90',
        gates: '{}',
        auditFunction: '',
      },
      [name]: value,
    };
    const resolveVariable = async (address: string) => given[address.replace('param:', '')];
    await expect(locations({ resolveVariable })).rejects.toThrow(message);
  });

  it('may be a list of files in it, which is then the input of the job', () => {
    const params = ['--param=inputList=lists/tonight.manifest', '--param=events=DISABLED'];
    const jobOf = (template: Resources) => {
      const { Environment } = template.PlanLambdaFunction!.Properties as {
        Environment: { Variables: { JOB: string } };
      };
      return JSON.parse(Environment.Variables.JOB) as { input: string };
    };
    expect(jobOf(resolveTemplate(withInput(...params))).input).toBe(
      's3://our-data/raw/features/lists/tonight.manifest',
    );
    expect(jobOf(resolveTemplate(withInput())).input).toBe('s3://our-data/raw/features');
    const own = jobOf(resolveTemplate(packagedTemplate('prod', ...params)));
    expect(own.input).toMatch(/^s3:\/\/[^/]+\/lists\/tonight\.manifest$/);
  });

  it('is not packaged when it is refused', () => {
    let told = '';
    try {
      withInput('--param=scores=s3://our-data/raw');
    } catch (error) {
      told = String((error as { stdout?: string }).stdout);
    }
    expect(told).toContain('input (s3://our-data/raw/features) lies in scores (s3://our-data/raw)');
  });
});
