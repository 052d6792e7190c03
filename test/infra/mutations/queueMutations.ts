import type { SpoiltProperty } from '../checks/resources.ts';

export const QUEUE_MUTATIONS: readonly SpoiltProperty[] = [
  ['OldestEventAlarm', undefined, 'EventsQueue: nobody is told of messages that wait'],
  [
    'OldestEventAlarm/Properties/MetricName',
    'NumberOfMessagesSent',
    'EventsQueue: nobody is told of messages that wait',
  ],
  ['ArrivalRunsEnded/Properties/Name', undefined, 'ArrivalRunsEnded: has no name that a policy could know'],
  ['ArrivalRunsEnded/Properties/Name', 'ended', 'ArrivalRunsEnded: EventsQueue takes nothing from ended'],
  [
    'EventsQueuePolicy/Properties/PolicyDocument/Statement/1/Condition/ArnEquals/aws:SourceArn',
    { 'Fn::Sub': `arn:aws:events:eu-central-1:123456789012:rule/\${AWS::StackName}-*` },
    'ArrivalRunsEnded: EventsQueue takes nothing from ncs4cvr-prod-ended',
  ],
  ['EndedRunsAlarm', undefined, "ArrivalRunsEnded: nobody is told of what it can't deliver"],
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
    369,
    'EventsQueue: hides a message for 369 s, of at least 370 s',
  ],
  [
    'EventsQueue/Properties/VisibilityTimeout',
    undefined,
    'EventsQueue: hides a message for 30 s, of at least 370 s',
  ],
  [
    'ArrivalsLambdaFunction/Properties/Timeout',
    61,
    'EventsQueue: hides a message for 370 s, of at least 376 s',
  ],
  [
    'ArrivalsEventSourceMappingSQSEventsQueue/Properties/MaximumBatchingWindowInSeconds',
    11,
    'EventsQueue: hides a message for 370 s, of at least 371 s',
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
];

/** Of functions, and of what outlives the stack. */
export const FUNCTION_MUTATIONS: readonly SpoiltProperty[] = [
  ['PlanLogGroup', undefined, 'PlanLambdaFunction: has no log group'],
  ['PlanLogGroup/Properties/LogGroupName', '/aws/lambda/plan', 'PlanLambdaFunction: has no log group'],
  ['PlanLogGroup/Properties/RetentionInDays', undefined, 'PlanLambdaFunction: keeps its logs for ever'],
  ['PlanLambdaFunction/Properties/TracingConfig/Mode', 'PassThrough', 'PlanLambdaFunction: writes no traces'],
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
];

export const RETENTION_MUTATIONS: readonly SpoiltProperty[] = [
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
];
