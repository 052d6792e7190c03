/** A path into the packaged template, and what is there instead; undefined: nothing. `+` at its end appends. */
export type Mutation = readonly [path: string, value: unknown];

/** A mutation, and what the check that it is for must say of it, among other things. */
type SpoiltProperty = readonly [...Mutation, found: string];

const allow = (Action: string, Resource: unknown) => ({ Effect: 'Allow', Action: [Action], Resource });
const PLAN = 'PlanRole/Properties/Policies/2/PolicyDocument/Statement';
const ARRIVALS = 'ArrivalsRole/Properties/Policies/2/PolicyDocument/Statement';
const RUN = 'ScoringRunRole/Properties/Policies/0/PolicyDocument/Statement';
const OPERATORS = 'OperatorPolicy/Properties/PolicyDocument/Statement';
const WIDGETS = 'Dashboard/Properties/DashboardBody/Fn::Sub';
const dashboard = (...metric: readonly string[]) =>
  JSON.stringify({ widgets: [{ properties: { metrics: [metric] } }] });

/** For each check, by its name. */
export const MUTATIONS = {
  privacy: [
    ...['FeaturesBucket', 'ModelsBucket', 'ScoresBucket', 'ServerlessDeploymentBucket'].flatMap((bucket) => [
      ...['BlockPublicAcls', 'BlockPublicPolicy', 'IgnorePublicAcls', 'RestrictPublicBuckets'].map(
        (block) =>
          [
            `${bucket}/Properties/PublicAccessBlockConfiguration/${block}`,
            false,
            `${bucket}: ${block} is off`,
          ] as const,
      ),
      [`${bucket}/Properties/AccessControl`, 'PublicRead', `${bucket}: has an ACL`] as const,
      [`${bucket}/Properties/BucketEncryption`, undefined, `${bucket}: is not encrypted`] as const,
    ]),
    ['ScoresBucket/Properties/WebsiteConfiguration', {}, 'ScoresBucket: is a website'],
    ['ScoresBucketPolicy', undefined, 'ScoresBucket: is open to plain HTTP'],
    ['ScoresBucketPolicy/Properties/Bucket', { Ref: 'ModelsBucket' }, 'ScoresBucket: is open to plain HTTP'],
    ...[
      ['Effect', 'Allow', 'ScoresBucketPolicy: allows "*"'],
      ['Principal', { AWS: 'arn:aws:iam::1:root' }, 'ScoresBucket: is open to plain HTTP'],
      ['Action', 's3:GetObject', 'ScoresBucket: is open to plain HTTP'],
      ['Resource', [{ 'Fn::GetAtt': ['ScoresBucket', 'Arn'] }], 'ScoresBucket: is open to plain HTTP'],
      ['Condition', { Bool: { 'aws:SecureTransport': 'true' } }, 'ScoresBucket: is open to plain HTTP'],
      ['Condition/StringEquals', { 'aws:PrincipalOrgID': 'o' }, 'ScoresBucket: is open to plain HTTP'],
    ].map(
      ([key, value, found]) =>
        [`ScoresBucketPolicy/Properties/PolicyDocument/Statement/0/${key}`, value, String(found)] as const,
    ),
    [
      'ScoresBucketPolicy/Properties/PolicyDocument/Statement/+',
      { Effect: 'Allow', Principal: { AWS: '*' }, Action: 's3:GetObject', Resource: '*' },
      'ScoresBucketPolicy: allows {"AWS":"*"}',
    ],
    [
      'EventsQueuePolicy/Properties/PolicyDocument/Statement/0/Principal',
      '*',
      'EventsQueuePolicy: allows "*"',
    ],
    [
      'EventsQueuePolicy/Properties/PolicyDocument/Statement/0/Condition',
      undefined,
      'EventsQueuePolicy: allows s3.amazonaws.com,sns.amazonaws.com on behalf of any account',
    ],
    [
      'EventsQueuePolicy/Properties/PolicyDocument/Statement/1/Condition',
      {},
      'EventsQueuePolicy: allows events.amazonaws.com on behalf of any account',
    ],
    ['EventsQueuePolicy/Properties/PolicyDocument/Statement/2', {}, 'EventsQueuePolicy: allows plain HTTP'],
    ['EventsQueue/Properties/SqsManagedSseEnabled', false, 'EventsQueue: is not encrypted'],
    ['Url', { Type: 'AWS::Lambda::Url', Properties: { AuthType: 'NONE' } }, 'Url: is a URL for everyone'],
    [
      'Permission',
      { Type: 'AWS::Lambda::Permission', Properties: { Principal: '*', SourceAccount: '1' } },
      'Permission: lets everyone invoke',
    ],
    [
      'Permission',
      { Type: 'AWS::Lambda::Permission', Properties: { Principal: 's3.amazonaws.com' } },
      'Permission: lets a service invoke on behalf of any account',
    ],
  ],
  roles: [
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
      `${PLAN}/4`,
      allow('s3:GetObject', { 'Fn::Sub': `\${ModelsBucket.Arn}/*` }),
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
    [
      'PlanLambdaFunction/Properties/Role',
      { 'Fn::GetAtt': ['ScoreRole', 'Arn'] },
      'PlanRole: nobody takes it',
    ],
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
  ],
  operators: [
    [`${OPERATORS}/+`, allow('iam:PassRole', '*'), 'OperatorPolicy: may iam:PassRole, which nothing calls'],
    [`${OPERATORS}/5`, undefined, 'OperatorPolicy: may not s3:DeleteObject, which is called'],
    [`${OPERATORS}/6/Resource`, '*', 'OperatorPolicy: may states:StartExecution on everything'],
    [
      `${OPERATORS}/7/Resource`,
      'arn:aws:states:eu-central-1:123456789012:execution:Other/*',
      'OperatorPolicy: may states:RedriveExecution on arn:aws:states:eu-central-1:123456789012:execution:Other/*',
    ],
    ['OperatorPolicy/Properties/Roles', ['admin'], 'OperatorPolicy: is attached to admin'],
    ['OperatorPolicy', undefined, '0 policies for operators'],
  ],
  queues: [
    ['OldestEventAlarm', undefined, 'EventsQueue: nobody is told of messages that wait'],
    [
      'OldestEventAlarm/Properties/MetricName',
      'NumberOfMessagesSent',
      'EventsQueue: nobody is told of messages that wait',
    ],
    ['EventsQueue/Properties/RedrivePolicy', undefined, 'EventsQueue: has no dead letters'],
    [
      'EventsQueue/Properties/RedrivePolicy/maxReceiveCount',
      1,
      'EventsQueue: gives a message up at its first failure',
    ],
    [
      'EventsQueue/Properties/RedrivePolicy/deadLetterTargetArn',
      { 'Fn::GetAtt': ['EventsQueue', 'Arn'] },
      'EventsQueue: has dead letters of others and is consumed',
    ],
    [
      'EventsQueue/Properties/RedrivePolicy/deadLetterTargetArn',
      'arn:aws:sqs:eu-central-1:12345678612:Gone',
      'Gone: takes dead letters and is not there',
    ],
    [
      'EventsQueue/Properties/VisibilityTimeout',
      359,
      'EventsQueue: hides a message for 359 s; its function has 60 s',
    ],
    [
      'EventsQueue/Properties/VisibilityTimeout',
      undefined,
      'EventsQueue: hides a message for 30 s; its function has 60 s',
    ],
    [
      'ArrivalsLambdaFunction/Properties/Timeout',
      61,
      'EventsQueue: hides a message for 360 s; its function has 61 s',
    ],
    [
      'EventsDeadLetters/Properties/MessageRetentionPeriod',
      60,
      'EventsDeadLetters: forgets sooner than the queue before it',
    ],
    ['EventsDeadLettersAlarm', undefined, 'EventsDeadLetters: no alarm watches it'],
    ['EventsDeadLettersAlarm/Properties/Threshold', 2, 'EventsDeadLetters: no alarm watches it'],
    [
      'EventsDeadLettersAlarm/Properties/Dimensions/0/Value',
      'EventsQueue',
      'EventsDeadLetters: no alarm watches it',
    ],
    ['ScheduleDeadLettersAlarm', undefined, 'ScheduleDeadLetters: no alarm watches it'],
    ['NightlySchedule/Properties/Target/DeadLetterConfig', undefined, 'NightlySchedule: has no dead letters'],
    [
      'ArrivalsEventSourceMappingSQSEventsQueue/Properties/EventSourceArn',
      'arn:aws:sqs:eu-central-1:12345678612:Gone',
      'ArrivalsEventSourceMappingSQSEventsQueue: has no queue',
    ],
  ],
  alarms: [
    ['RunFailedAlarm/Properties/AlarmActions', [], 'RunFailedAlarm: tells nobody'],
    [
      'RunFailedAlarm/Properties/AlarmActions',
      ['arn:aws:sns:eu-central-1:123456789012:Gone'],
      'RunFailedAlarm: tells nobody',
    ],
    [
      'RunFailedAlarm/Properties/MetricName',
      'ExecutionFailed',
      'RunFailedAlarm: nobody emits AWS/States ExecutionFailed StateMachineArn=arn:aws:states:eu-central-1:123456789012:stateMachine:ScoringRun',
    ],
    ['RunFailedAlarm/Properties/Dimensions', [], 'RunFailedAlarm: nobody emits AWS/States ExecutionsFailed'],
    [
      'EventsDeadLettersAlarm/Properties/Dimensions/0/Name',
      'Queue',
      'EventsDeadLettersAlarm: nobody emits AWS/SQS ApproximateNumberOfMessagesVisible Queue=EventsDeadLetters',
    ],
    [
      'EventsDeadLettersAlarm/Properties/Dimensions/0/Value',
      'Gone',
      'EventsDeadLettersAlarm: nobody emits AWS/SQS ApproximateNumberOfMessagesVisible QueueName=Gone',
    ],
    [
      'EventsDeadLettersAlarm/Properties/Namespace',
      'AWS/Queues',
      'EventsDeadLettersAlarm: nobody emits AWS/Queues ApproximateNumberOfMessagesVisible QueueName=EventsDeadLetters',
    ],
    [
      'PlanErrorsAlarm/Properties/Metrics/1/MetricStat/Metric/MetricName',
      'Error',
      'PlanErrorsAlarm: nobody emits AWS/Lambda Error FunctionName=ncs4cvr-prod-plan',
    ],
    [
      'PlanErrorsAlarm/Properties/Metrics/0/Expression',
      '100 * errors / calls',
      'PlanErrorsAlarm: calls of its expression is no metric',
    ],
    ['PlanErrorsAlarm/Properties/Metrics/1/ReturnData', true, 'PlanErrorsAlarm: watches 2 results'],
    [
      WIDGETS,
      dashboard('ncs4cvr-prod', 'rowsSeen', 'service', 'ncs4cvr'),
      'Dashboard: nobody emits ncs4cvr-prod rowsSeen service=ncs4cvr',
    ],
    [
      WIDGETS,
      dashboard('ncs4cvr-dev', 'rowsScored', 'service', 'ncs4cvr'),
      'Dashboard: nobody emits ncs4cvr-dev rowsScored service=ncs4cvr',
    ],
    [
      WIDGETS,
      dashboard('ncs4cvr-prod', 'rowsScored', 'function', 'ncs4cvr'),
      'Dashboard: nobody emits ncs4cvr-prod rowsScored function=ncs4cvr',
    ],
  ],
  functions: [
    ['PlanLogGroup', undefined, 'PlanLambdaFunction: has no log group'],
    ['PlanLogGroup/Properties/LogGroupName', '/aws/lambda/plan', 'PlanLambdaFunction: has no log group'],
    ['PlanLogGroup/Properties/RetentionInDays', undefined, 'PlanLambdaFunction: keeps its logs for ever'],
    [
      'PlanLambdaFunction/Properties/TracingConfig/Mode',
      'PassThrough',
      'PlanLambdaFunction: writes no traces',
    ],
    [
      'ScoreLambdaFunction/Properties/ReservedConcurrentExecutions',
      49,
      'ScoreLambdaFunction: 49 at a time are reserved, 50 wanted',
    ],
    [
      'ArrivalsEventSourceMappingSQSEventsQueue/Properties/FunctionResponseTypes',
      undefined,
      'ArrivalsEventSourceMappingSQSEventsQueue: one failure fails its batch',
    ],
  ],
  retention: [
    ['ScoresBucket/DeletionPolicy', undefined, 'ScoresBucket: goes with its stack'],
    ['ScoresBucket/DeletionPolicy', 'Delete', 'ScoresBucket: goes with its stack'],
    ['ScoresBucket/DeletionPolicy', 'Retain', 'ScoresBucket: stays when its first deployment fails'],
    [
      'ScoresBucket/Properties/BucketName',
      'scores',
      'ScoresBucket: stands in the way of the next stack by its name',
    ],
    ['FeaturesBucket/UpdateReplacePolicy', 'Delete', 'FeaturesBucket: goes when it is replaced'],
    [
      'ModelsBucket/Properties/LifecycleConfiguration',
      undefined,
      'ModelsBucket: keeps what uploads that died have left',
    ],
    [
      'ModelsBucket/Properties/LifecycleConfiguration/Rules/0/Status',
      'Disabled',
      'ModelsBucket: keeps what uploads that died have left',
    ],
    ['Another', { Type: 'AWS::S3::Bucket' }, 'Another: goes with its stack'],
  ],
} satisfies Record<string, readonly SpoiltProperty[]>;
