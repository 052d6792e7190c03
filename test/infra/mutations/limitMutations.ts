import type { SpoiltProperty } from '../checks/resources.ts';

export const LIMIT_MUTATIONS: readonly SpoiltProperty[] = [
  [
    'PlanLambdaFunction/Properties/FunctionName',
    'f'.repeat(65),
    'PlanLambdaFunction: FunctionName has 65 characters, of at most 64',
  ],
  [
    'ArrivalRunsEnded/Properties/Name',
    'r'.repeat(65),
    'ArrivalRunsEnded: Name has 65 characters, of at most 64',
  ],
  [
    'RunTimedOutAlarm/Properties/AlarmDescription',
    'd'.repeat(1025),
    'RunTimedOutAlarm: AlarmDescription has 1025 characters, of at most 1024',
  ],
  [
    'OperatorPolicy/Properties/PolicyDocument',
    { Sid: 's'.repeat(6135) },
    'OperatorPolicy: the policy has 6145 characters, of at most 6144',
  ],
  // As long as the names that CloudFormation makes of it.
  [
    'OperatorPolicy/Properties/PolicyDocument',
    { Sid: Array(100).fill('ScoresBucket').join() },
    'OperatorPolicy: the policy has 6409 characters, of at most 6144',
  ],
  [
    'FreshnessRole/Properties/Policies',
    [{ PolicyDocument: { Statement: [{ Sid: 's'.repeat(10_229) }] } }],
    'FreshnessRole: the sum of its policies has 10241 characters, of at most 10240',
  ],
  [
    'FreshnessLambdaFunction/Properties/Environment/Variables',
    { JOB: 'j'.repeat(4_087) },
    'FreshnessLambdaFunction: the environment has 4097 characters, of at most 4096',
  ],
];
