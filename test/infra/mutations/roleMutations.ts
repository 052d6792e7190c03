import type { SpoiltProperty } from '../checks/resources.ts';

const allow = (Action: string, Resource: unknown) => ({ Effect: 'Allow', Action: [Action], Resource });
const PLAN = 'PlanRole/Properties/Policies/2/PolicyDocument/Statement';
const ARRIVALS = 'ArrivalsRole/Properties/Policies/2/PolicyDocument/Statement';
const RUN = 'ScoringRunRole/Properties/Policies/0/PolicyDocument/Statement';
const OPERATORS = 'OperatorPolicy/Properties/PolicyDocument/Statement';

export const ROLE_MUTATIONS: readonly SpoiltProperty[] = [
  [
    'PublishAnnouncements/Properties/PolicyDocument/Statement/1/Resource',
    ['*'],
    'PublishRole: may events:PutEvents on everything',
  ],
  [
    'PublishAnnouncements/Properties/PolicyDocument/Statement/1/Resource',
    ['arn:aws:events:eu-central-1:123456789012:event-bus/*'],
    'PublishRole: may events:PutEvents on arn:aws:events:eu-central-1:123456789012:event-bus/*',
  ],
  [
    'PublishAnnouncements/Properties/Roles',
    [{ Ref: 'PlanRole' }],
    'PublishRole: may not events:PutEvents, which is called',
  ],
  [
    `${PLAN}/3/Action`,
    ['s3:GetObject', 's3:DeleteObject'],
    'PlanRole: may s3:DeleteObject, which nothing calls',
  ],
  [`${PLAN}/3/Action`, ['s3:*'], 'PlanRole: may s3:*'],
  [PLAN, [], 'PlanRole: may not s3:ListBucket, which is called'],
  [
    PLAN,
    [allow('s3:GetObject', { 'Fn::Sub': `\${ModelsBucket.Arn}/*` })],
    'PlanRole: may not s3:PutObject, which is called',
  ],
  [`${PLAN}/3/Resource`, '*', 'PlanRole: may s3:GetObject on everything'],
  [`${PLAN}/3/Resource`, 'arn:aws:s3:::*', 'PlanRole: may s3:GetObject on arn:aws:s3:::*'],
  [
    `${PLAN}/3/Resource`,
    'arn:aws:s3:::elsewhere/*',
    'PlanRole: may s3:GetObject on arn:aws:s3:::elsewhere/*',
  ],
  [
    `${ARRIVALS}/2/Resource`,
    'arn:aws:sqs:eu-central-1:123456789012:*',
    'ArrivalsRole: may sqs:DeleteMessage on arn:aws:sqs:eu-central-1:123456789012:*',
  ],
  [
    `${ARRIVALS}/3/Resource`,
    'arn:aws:states:eu-central-1:123456789012:stateMachine:*',
    'ArrivalsRole: may states:StartExecution on arn:aws:states:eu-central-1:123456789012:stateMachine:*',
  ],
  [
    `${PLAN}/3/Condition`,
    { StringEquals: { 'aws:SourceVpc': 'v' } },
    'PlanRole: has conditions: {"StringEquals":{"aws:SourceVpc":"v"}}',
  ],
  [`${PLAN}/0/Resource`, 'arn:aws:s3:::elsewhere', 'PlanRole: may s3:ListBucket on arn:aws:s3:::elsewhere'],
  [
    `${PLAN}/+`,
    allow('kms:Decrypt', 'arn:aws:kms:eu-central-1:123456789012:key/1'),
    'PlanRole: may kms:Decrypt on arn:aws:kms:eu-central-1:123456789012:key/1',
  ],
  [
    'FreshnessSchedule/Properties/Target/Arn',
    'arn:aws:sqs:eu-central-1:123456789012:EventsQueue',
    'FreshnessScheduleRole: may lambda:InvokeFunction, which nothing calls',
  ],
  ['PlanStartsRuns/Properties/Roles', [], 'PlanRole: may not states:StartExecution, which is called'],
  [`${PLAN}/3/Effect`, 'Deny', 'PlanRole: has a statement that allows by exception'],
  [
    `${PLAN}/+`,
    { Effect: 'Allow', NotAction: 'iam:*', Resource: '*' },
    'PlanRole: has a statement that allows by exception',
  ],
  [
    'PlanRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource',
    'arn:aws:logs:eu-central-1:123456789012:log-group:*',
    'PlanRole: may logs:PutLogEvents on arn:aws:logs:eu-central-1:123456789012:log-group:*',
  ],
  [
    'PlanRole/Properties/ManagedPolicyArns',
    ['arn:aws:iam::aws:policy/ReadOnlyAccess'],
    'PlanRole: has policies that are not ours',
  ],
  [
    'PlanRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal',
    { AWS: '*' },
    'PlanRole: is taken by {"AWS":"*"}',
  ],
  [
    'PlanLambdaFunction/Properties/TracingConfig',
    undefined,
    'PlanRole: may xray:PutTraceSegments, which nothing calls',
  ],
  [
    'ArrivalsEventSourceMappingSQSEventsQueue',
    undefined,
    'ArrivalsRole: may sqs:ReceiveMessage, which nothing calls',
  ],
  ['PlanLambdaFunction/Properties/Role', { 'Fn::GetAtt': ['ScoreRole', 'Arn'] }, 'PlanRole: nobody takes it'],
  ['PlanLambdaFunction/Properties/Role', { 'Fn::GetAtt': ['ScoreRole', 'Arn'] }, 'ScoreRole: is shared'],
  [
    'ScoreRole/Properties/Policies/2/PolicyDocument/Statement/4/Action',
    ['s3:PutObject'],
    'ScoreRole: may not s3:AbortMultipartUpload, which is called',
  ],
  [`${RUN}/3/Action/+`, 'xray:GetInsight', 'ScoringRunRole: may xray:GetInsight on everything'],
  [
    `${RUN}/0/Action`,
    ['lambda:GetFunction'],
    'ScoringRunRole: may not lambda:InvokeFunction, which is called',
  ],
  [
    'ScoringRunMaps/Properties/PolicyDocument/Statement/2',
    allow('states:StopExecution', []),
    'ScoringRunRole: may not states:DescribeMapRun, which is called',
  ],
  [
    'ScoringRunMaps/Properties/PolicyDocument/Statement/1/Resource',
    'arn:aws:states:eu-central-1:123456789012:execution:*',
    'ScoringRunRole: may states:StopExecution on arn:aws:states:eu-central-1:123456789012:execution:*',
  ],
  ['ScoringRunMaps/Properties/Roles', [], 'ScoringRunRole: may not states:StartExecution, which is called'],
  [
    'ScoringRun/Properties/Definition/States/CountPublished/Resource',
    'arn:aws:states:::aws-sdk:sfn:listExecutions',
    'ScoringRunRole: may states:DescribeMapRun, which nothing calls',
  ],
  [
    'NightlySchedule/Properties/Target/DeadLetterConfig',
    undefined,
    'ScheduleRole: may sqs:SendMessage, which nothing calls',
  ],
];

export const OPERATOR_MUTATIONS: readonly SpoiltProperty[] = [
  [`${OPERATORS}/+`, allow('iam:PassRole', '*'), 'OperatorPolicy: may iam:PassRole, which nothing calls'],
  [
    OPERATORS,
    [allow('s3:GetObject', { 'Fn::Sub': `\${ScoresBucket.Arn}/*` })],
    'OperatorPolicy: may not s3:DeleteObject, which is called',
  ],
  [`${OPERATORS}/6`, undefined, 'OperatorPolicy: may not events:PutEvents, which is called'],
  [`${OPERATORS}/7/Resource`, '*', 'OperatorPolicy: may states:StartExecution on everything'],
  [
    `${OPERATORS}/8/Resource`,
    'arn:aws:states:eu-central-1:123456789012:execution:Other/*',
    'OperatorPolicy: may states:RedriveExecution on arn:aws:states:eu-central-1:123456789012:execution:Other/*',
  ],
  ['OperatorPolicy/Properties/Roles', ['admin'], 'OperatorPolicy: is attached to admin'],
  ['OperatorPolicy', undefined, '0 policies for operators'],
];
