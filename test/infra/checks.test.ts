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
import type { Check, Mutation, SpoiltProperty } from './checks/resources.ts';
import { operators, roles } from './checks/roles.ts';
import { type CodeCalls, functionCalls, operatorCalls } from './codeCalls.ts';
import { ALARM_MUTATIONS } from './mutations/alarmMutations.ts';
import { LIMIT_MUTATIONS } from './mutations/limitMutations.ts';
import { PRIVACY_MUTATIONS } from './mutations/privacyMutations.ts';
import { FUNCTION_MUTATIONS, QUEUE_MUTATIONS, RETENTION_MUTATIONS } from './mutations/queueMutations.ts';
import { OPERATOR_MUTATIONS, ROLE_MUTATIONS } from './mutations/roleMutations.ts';

// A check that finds nothing wrong with the template might find nothing wrong with any: here each is given templates with one
// property spoilt, and must say so.
let calls: Readonly<Record<string, CodeCalls>>;
let ofOperators: CodeCalls;
beforeAll(async () => {
  calls = functionCalls();
  await setImmediate();
  ofOperators = operatorCalls();
}, 120_000);

const CHECKS: readonly (readonly [name: string, Check, readonly SpoiltProperty[]])[] = [
  ['privacy', privacy, PRIVACY_MUTATIONS],
  ['roles', (resources) => roles(resources, calls), ROLE_MUTATIONS],
  ['operators', (resources) => operators(resources, ofOperators), OPERATOR_MUTATIONS],
  ['queues', queues, QUEUE_MUTATIONS],
  ['alarms', (resources) => alarms(resources, calls), ALARM_MUTATIONS],
  ['limits', limits, LIMIT_MUTATIONS],
  ['functions', functions, FUNCTION_MUTATIONS],
  ['retention', retention, RETENTION_MUTATIONS],
];

function mutated([path, value]: Mutation, ...params: readonly string[]): Resources {
  const template = structuredClone(packagedTemplate('prod', ...params));
  const keys = path.split('/');
  const last = keys.pop()!;
  const holder = keys.reduce<Record<string, unknown>>((at, key) => {
    if (typeof at[key] !== 'object') throw new Error(`${path}: nothing at ${key}`);
    return at[key] as Record<string, unknown>;
  }, template);
  if (last === '+') (holder as unknown as unknown[]).push(value);
  else if (value === undefined) {
    if (!(last in holder)) throw new Error(`${path}: nothing to take away`);
    delete holder[last];
  } else holder[last] = value;
  return resolveTemplate(template);
}

describe.each(CHECKS)('the check of %s', (_, check, mutations) => {
  it('passes what is deployed', () => {
    expect(check(resolveTemplate(packagedTemplate('prod')))).toEqual([]);
  });

  it.each(mutations)('finds %s = %j', (path, value, found) => {
    expect(check(mutated([path, value]))).toContain(found);
  });
});

describe('the check of roles, where locations have prefixes and keys,', () => {
  const PREFIXES = ['input=s3://our-data/features', 'models=s3://our-models', 'scores=s3://our-data/scores'];
  const keys: Keys = {
    input: 'arn:aws:kms:eu-central-1:123456789012:key/1',
    scores: 'arn:aws:kms:eu-central-1:123456789012:key/2',
  };
  const params = [...PREFIXES, `inputKmsKey=${keys.input}`, `scoresKmsKey=${keys.scores}`].map(
    (param) => `--param=${param}`,
  );
  const plan = (index: number, key: string) =>
    `PlanRole/Properties/Policies/2/PolicyDocument/Statement/${index}/${key}`;

  it('passes what is deployed', () => {
    const template = resolveTemplate(packagedTemplate('prod', ...params));
    expect(roles(template, calls, keys)).toEqual([]);
    expect(operators(template, ofOperators, keys)).toEqual([]);
  });

  it.each([
    [plan(0, 'Condition'), undefined, 'PlanRole: may s3:ListBucket on arn:aws:s3:::our-data'],
    // What is missing could not be told from what is forbidden.
    [
      plan(0, 'Condition'),
      { StringLike: { 's3:prefix': ['features/*'] } },
      'PlanRole: may s3:ListBucket on arn:aws:s3:::our-data',
    ],
    [
      plan(3, 'Resource'),
      ['arn:aws:s3:::our-data/*'],
      'PlanRole: may s3:GetObject on arn:aws:s3:::our-data/*',
    ],
    [
      plan(4, 'Resource'),
      ['arn:aws:s3:::our-data/scores*'],
      'PlanRole: may s3:PutObject on arn:aws:s3:::our-data/scores*',
    ],
    ['InputKey', undefined, `PlanRole: may not kms:Decrypt on ${keys.input}`],
    ['ScoresKey', undefined, `ScoringRunRole: may not kms:GenerateDataKey on ${keys.scores}`],
    [
      'InputKey/Properties/PolicyDocument/Statement/0/Condition',
      undefined,
      `PlanRole: may kms:Decrypt on ${keys.input}`,
    ],
    [
      'PublishedKey/Properties/PolicyDocument/Statement/0/Action',
      ['kms:Decrypt', 'kms:GenerateDataKey'],
      `FreshnessRole: may kms:GenerateDataKey on ${keys.scores}, and needn't`,
    ],
  ])('finds %s = %j', (path, value, found) => {
    expect(roles(mutated([path, value], ...params), calls, keys)).toContain(found);
  });
});

describe('the check of roles, where a function audits,', () => {
  const params = ['--param=auditFunction=scores-audit:live'];
  const audit = 'PublishAudit/Properties/PolicyDocument/Statement/0';
  const other = 'arn:aws:lambda:eu-central-1:123456789012:function:other';
  const ofOperator = 'OperatorAuditPolicy/Properties/PolicyDocument/Statement/0';

  it('passes what is deployed', () => {
    const template = resolveTemplate(packagedTemplate('prod', ...params));
    expect(roles(template, calls)).toEqual([]);
    expect(operators(template, ofOperators)).toEqual([]);
  });

  it.each([
    ['PublishAudit', undefined, 'PublishRole: may not lambda:InvokeFunction, which is called'],
    [`${audit}/Resource`, [other], `PublishRole: may lambda:InvokeFunction on ${other}`],
    [`${audit}/Resource`, '*', 'PublishRole: may lambda:InvokeFunction on everything'],
    [
      `${audit}/Resource`,
      { 'Fn::GetAtt': ['ScoreLambdaFunction', 'Arn'] },
      'PublishRole: may lambda:InvokeFunction on arn:aws:lambda:eu-central-1:123456789012:function:ncs4cvr-prod-score',
    ],
    [
      'PublishAudit/Properties/Roles',
      [{ Ref: 'PublishRole' }, { Ref: 'ScoreRole' }],
      'ScoreRole: may lambda:InvokeFunction, which nothing calls',
    ],
  ])('finds %s = %j', (path, value, found) => {
    expect(roles(mutated([path, value], ...params), calls)).toContain(found);
  });

  it.each([
    ['OperatorAuditPolicy', undefined, '1 policies for operators'],
    [`${ofOperator}/Resource`, [other], `OperatorAuditPolicy: may lambda:InvokeFunction on ${other}`],
    [
      `${ofOperator}/Action`,
      ['lambda:InvokeFunction', 's3:GetObject'],
      'OperatorAuditPolicy: may s3:GetObject, which nothing calls',
    ],
  ])("finds %s = %j, of operators'", (path, value, found) => {
    expect(operators(mutated([path, value], ...params), ofOperators)).toContain(found);
  });

  it('finds the right where no function audits', () => {
    const without = structuredClone(packagedTemplate('prod', ...params));
    const plain = packagedTemplate('prod');
    const { PublishAudit } = without;
    const added = resolveTemplate({ ...plain, PublishAudit: PublishAudit! });
    expect(roles(added, calls)).toContain('PublishRole: may lambda:InvokeFunction, which nothing calls');
  });
});

it('a name that nothing has is refused before any check', () => {
  expect(() => mutated(['RunFailedAlarm/Properties/AlarmActions', [{ Ref: 'Gone' }]])).toThrow(
    'the template has no Gone',
  );
  expect(() => mutated(['ScoringRun/Properties/DefinitionSubstitutions/PlanFunctionArn', undefined])).toThrow(
    `the definition's \${PlanFunctionArn} has no substitution`,
  );
});
