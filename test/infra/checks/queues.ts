import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import type { Alarm } from './alarms.ts';
import {
  type EventRule,
  type EventSource,
  type LambdaFunction,
  listed,
  nameIn,
  ofType,
  statementsOf,
} from './resources.ts';

interface Queue {
  readonly VisibilityTimeout: number;
  readonly MessageRetentionPeriod: number;
  readonly RedrivePolicy: { readonly deadLetterTargetArn: string; readonly maxReceiveCount: number };
}
interface QueuePolicy {
  readonly PolicyDocument: object;
}
interface Schedule {
  readonly Target: { readonly DeadLetterConfig?: { readonly Arn: string } };
}

/**
 * What Lambda asks for, beside the window in which a batch is filled: a message must not come back while it may still be worked on,
 * or while its function is throttled.
 */
const TIMEOUTS_HIDDEN = 6;
/** What SQS has without a word: half a minute, four days. */
const DEFAULT_VISIBILITY_SECONDS = 30;
const DEFAULT_RETENTION_SECONDS = 4 * 86_400;

/** No message is lost: whatever can fail has dead letters that an alarm watches, and time enough for its function. */
export function queues(resources: Resources): string[] {
  const all = new Map(ofType<Queue>(resources, 'AWS::SQS::Queue'));
  const sources = ofType<EventSource>(resources, 'AWS::Lambda::EventSourceMapping');
  const consumed = sources.map(([, { EventSourceArn = '' }]) => nameIn(EventSourceArn));
  const targets = new Set<string>();
  const problems: string[] = [];

  for (const [name, { RedrivePolicy }] of all) {
    if (RedrivePolicy !== undefined) targets.add(nameIn(RedrivePolicy.deadLetterTargetArn));
    if (RedrivePolicy !== undefined && !(RedrivePolicy.maxReceiveCount > 1)) {
      problems.push(`${name}: gives a message up at its first failure`);
    }
  }
  for (const [name, { Target }] of ofType<Schedule>(resources, 'AWS::Scheduler::Schedule')) {
    if (Target?.DeadLetterConfig === undefined) problems.push(`${name}: has no dead letters`);
    else targets.add(nameIn(Target.DeadLetterConfig.Arn));
  }
  for (const [name, queue] of all) {
    if (!targets.has(name) && queue.RedrivePolicy === undefined)
      problems.push(`${name}: has no dead letters`);
  }
  for (const name of targets) problems.push(...deadLetterProblems(name, all, consumed, resources));
  for (const [
    source,
    { EventSourceArn = '', FunctionName = '', MaximumBatchingWindowInSeconds = 0 },
  ] of sources) {
    const queue = all.get(nameIn(EventSourceArn));
    if (queue === undefined) {
      problems.push(`${source}: has no queue`);
      continue;
    }
    if (!isWaitWatched(nameIn(EventSourceArn), resources)) {
      problems.push(`${nameIn(EventSourceArn)}: nobody is told of messages that wait`);
    }
    const timeout = timeoutOf(FunctionName, resources);
    const least = TIMEOUTS_HIDDEN * timeout + MaximumBatchingWindowInSeconds;
    const { VisibilityTimeout = DEFAULT_VISIBILITY_SECONDS } = queue;
    if (!(VisibilityTimeout >= least)) {
      problems.push(
        `${nameIn(EventSourceArn)}: hides a message for ${VisibilityTimeout} s, of at least ${least} s`,
      );
    }
  }
  return [...problems, ...ruleProblems(resources)];
}

/** What a rule of EventBridge hands to a queue, the queue's policy lets in, and somebody is told when it doesn't get there. */
function ruleProblems(resources: Resources): string[] {
  const policies = ofType<QueuePolicy>(resources, 'AWS::SQS::QueuePolicy');
  const watched = ofType<Alarm>(resources, 'AWS::CloudWatch::Alarm')
    .filter(
      ([, { Namespace, MetricName }]) => Namespace === 'AWS/Events' && MetricName === 'FailedInvocations',
    )
    .flatMap(([, { Dimensions = [] }]) => Dimensions.map(({ Value }) => Value));
  return ofType<EventRule>(resources, 'AWS::Events::Rule').flatMap(([name, { Name, Targets = [] }]) => {
    const source = `arn:aws:events:eu-central-1:123456789012:rule/${Name}`;
    const queues = Targets.map(({ Arn }) => Arn).filter((arn) => arn.includes(':sqs:'));
    const shut = queues.filter(
      (queue) => !policies.some(([, { PolicyDocument }]) => letsIn(PolicyDocument, queue, source)),
    );
    return [
      // Of one that CloudFormation makes, no policy knows how it begins: the name of a long stack is cut.
      ...(Name === undefined ? [`${name}: has no name that a policy could know`] : []),
      ...shut.map((queue) => `${name}: ${nameIn(queue)} takes nothing from ${Name}`),
      ...(watched.includes(Name ?? name) ? [] : [`${name}: nobody is told of what it can't deliver`]),
    ];
  });
}

function letsIn(document: unknown, queue: string, source: string): boolean {
  return statementsOf(document).some(({ Effect, Principal, Action, Resource, Condition = {} }) => {
    const services = typeof Principal === 'object' ? listed(Principal.Service) : [];
    const sources = listed(Condition.ArnEquals?.['aws:SourceArn'] as string | readonly string[] | undefined);
    return (
      Effect === 'Allow' &&
      services.includes('events.amazonaws.com') &&
      listed(Action).includes('sqs:SendMessage') &&
      listed(Resource).includes(queue) &&
      sources.includes(source)
    );
  });
}

function deadLetterProblems(
  name: string,
  all: ReadonlyMap<string, Partial<Queue>>,
  consumed: readonly string[],
  resources: Resources,
): string[] {
  const queue = all.get(name);
  if (queue === undefined) return [`${name}: takes dead letters and is not there`];
  const retentionOf = ({ MessageRetentionPeriod = DEFAULT_RETENTION_SECONDS }: Partial<Queue>) =>
    MessageRetentionPeriod;
  // A dead letter keeps the age that it had in its first queue.
  const longest = Math.max(
    ...[...all.values()]
      .filter(({ RedrivePolicy }) => RedrivePolicy && nameIn(RedrivePolicy.deadLetterTargetArn) === name)
      .map(retentionOf),
  );
  const isWatched = ofType<Alarm>(resources, 'AWS::CloudWatch::Alarm').some(
    ([, { MetricName, Dimensions = [], Threshold, ComparisonOperator }]) =>
      MetricName === 'ApproximateNumberOfMessagesVisible' &&
      Dimensions.some(({ Value }) => Value === name) &&
      ((ComparisonOperator === 'GreaterThanOrEqualToThreshold' && Threshold === 1) ||
        (ComparisonOperator === 'GreaterThanThreshold' && Threshold === 0)),
  );
  return [
    ...(consumed.includes(name) ? [`${name}: has dead letters of others and is consumed`] : []),
    ...(retentionOf(queue) < longest ? [`${name}: forgets sooner than the queue before it`] : []),
    ...(isWatched ? [] : [`${name}: no alarm watches it`]),
  ];
}

function isWaitWatched(name: string, resources: Resources): boolean {
  return ofType<Alarm>(resources, 'AWS::CloudWatch::Alarm').some(
    ([, { MetricName, Dimensions = [], ComparisonOperator = '' }]) =>
      MetricName === 'ApproximateAgeOfOldestMessage' &&
      Dimensions.some(({ Value }) => Value === name) &&
      ComparisonOperator.startsWith('GreaterThan'),
  );
}

function timeoutOf(functionArn: string, resources: Resources): number {
  const found = ofType<LambdaFunction>(resources, 'AWS::Lambda::Function').find(
    ([, { FunctionName }]) => FunctionName === nameIn(functionArn),
  );
  return found?.[1].Timeout ?? Number.POSITIVE_INFINITY;
}
