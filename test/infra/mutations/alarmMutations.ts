import type { SpoiltProperty } from '../checks/resources.ts';

const WIDGETS = 'Dashboard/Properties/DashboardBody/Fn::Sub';
const dashboard = (...metric: readonly string[]) =>
  JSON.stringify({ widgets: [{ properties: { metrics: [metric] } }] });
const expressions = (expression: string) =>
  JSON.stringify({ widgets: [{ properties: { metrics: [[{ expression }]] } }] });

export const ALARM_MUTATIONS: readonly SpoiltProperty[] = [
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
  [
    WIDGETS,
    expressions("SEARCH('{ncs4cvr-prod,gate,service} MetricName=\"gateHalted\"', 'Sum', 3600)"),
    'Dashboard: nobody emits what it searches for: ncs4cvr-prod gateHalted',
  ],
  [
    WIDGETS,
    expressions("SEARCH('{ncs4cvr-dev,gate,service} MetricName=\"gateBlocked\"', 'Sum', 3600)"),
    'Dashboard: nobody emits what it searches for: ncs4cvr-dev gateBlocked',
  ],
  [WIDGETS, expressions('hours * 0.1'), 'Dashboard: hours of its expression is no metric'],
];
