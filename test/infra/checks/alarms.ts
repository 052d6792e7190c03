import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import type { CodeCalls } from '../codeCalls.ts';
import { type EventRule, type LambdaFunction, ofType } from './resources.ts';

interface Metric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions: readonly { readonly Name: string; readonly Value: string }[];
}
export interface Alarm extends Metric {
  readonly Metrics: readonly {
    readonly Id: string;
    readonly Expression?: string;
    readonly MetricStat?: { readonly Metric: Metric };
    readonly ReturnData?: boolean;
  }[];
  readonly AlarmActions: readonly string[];
  readonly Threshold: number;
  readonly ComparisonOperator: string;
}
interface Dashboard {
  readonly DashboardBody: string;
}

/** Metrics of AWS by namespace: what each is counted by, and the names of those that AWS emits (of them, what is used). */
const OF_AWS: Readonly<Record<string, { dimension: string; type: string; metrics: readonly string[] }>> = {
  'AWS/Events': {
    dimension: 'RuleName',
    type: 'AWS::Events::Rule',
    metrics: ['FailedInvocations', 'MatchedEvents'],
  },
  'AWS/Lambda': {
    dimension: 'FunctionName',
    type: 'AWS::Lambda::Function',
    metrics: ['Invocations', 'Errors', 'Throttles', 'Duration', 'ConcurrentExecutions'],
  },
  'AWS/SQS': {
    dimension: 'QueueName',
    type: 'AWS::SQS::Queue',
    metrics: ['ApproximateNumberOfMessagesVisible', 'ApproximateAgeOfOldestMessage', 'NumberOfMessagesSent'],
  },
  'AWS/States': {
    dimension: 'StateMachineArn',
    type: 'AWS::StepFunctions::StateMachine',
    metrics: ['ExecutionsFailed', 'ExecutionsSucceeded', 'ExecutionsTimedOut', 'ExecutionsAborted'],
  },
};

/** Every alarm reaches somebody, and alarms and dashboards show metrics that somebody emits, of what is there. */
export function alarms(resources: Resources, calls: Readonly<Record<string, CodeCalls>>): string[] {
  const isEmitted = emitted(resources, calls);
  const topics = ofType(resources, 'AWS::SNS::Topic').map(
    ([name]) => `arn:aws:sns:eu-central-1:123456789012:${name}`,
  );
  const ofAlarms = ofType<Alarm>(resources, 'AWS::CloudWatch::Alarm').flatMap(([name, alarm]) => [
    ...(alarm.AlarmActions?.some((action) => topics.includes(action)) ? [] : [`${name}: tells nobody`]),
    ...metricsOf(alarm).flatMap((metric) =>
      isEmitted(metric) ? [] : [`${name}: nobody emits ${nameOf(metric)}`],
    ),
    ...expressionProblems(alarm).map((problem) => `${name}: ${problem}`),
  ]);
  const ofDashboards = ofType<Dashboard>(resources, 'AWS::CloudWatch::Dashboard').flatMap(
    ([name, dashboard]) =>
      widgetsOf(dashboard.DashboardBody!).flatMap((widget) => [
        ...widgetMetrics(widget).flatMap((metric) =>
          isEmitted(metric) ? [] : [`${name}: nobody emits ${nameOf(metric)}`],
        ),
        ...widgetProblems(widget, isEmitted).map((problem) => `${name}: ${problem}`),
      ]),
  );
  return [...ofAlarms, ...ofDashboards];
}

function metricsOf({ Namespace, MetricName, Dimensions, Metrics = [] }: Partial<Alarm>): Partial<Metric>[] {
  const inExpressions = Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []);
  if (MetricName === undefined && inExpressions.length > 0) return inExpressions;
  return [{ Namespace: Namespace!, MetricName: MetricName!, Dimensions: Dimensions! }, ...inExpressions];
}

/** An alarm's metric maths: every name is of a metric beside it, and one result is watched. */
function expressionProblems({ Metrics }: Partial<Alarm>): string[] {
  if (Metrics === undefined) return [];
  const ids = new Set(Metrics.map(({ Id }) => Id));
  const names = Metrics.flatMap(({ Expression = '' }) => Expression.match(/\b[a-z]\w*/g) ?? []);
  const watched = Metrics.filter(({ ReturnData }) => ReturnData !== false);
  return [
    ...names.filter((name) => !ids.has(name)).map((name) => `${name} of its expression is no metric`),
    ...(watched.length === 1 ? [] : [`watches ${watched.length} results`]),
  ];
}

function emitted(
  resources: Resources,
  calls: Readonly<Record<string, CodeCalls>>,
): (metric: Partial<Metric>) => boolean {
  const functions = ofType<LambdaFunction>(resources, 'AWS::Lambda::Function');
  const own = new Set(
    functions.flatMap(([, { FunctionName = '', Environment }]) => {
      const { POWERTOOLS_METRICS_NAMESPACE: namespace, POWERTOOLS_SERVICE_NAME: service } =
        Environment?.Variables ?? {};
      const metrics = calls[FunctionName.split('-').at(-1)!]?.metrics ?? [];
      return metrics.map((name) => `${namespace} ${name} service=${service}`);
    }),
  );
  return (metric) => {
    const { Namespace = '', MetricName = '', Dimensions = [] } = metric;
    const ofAws = OF_AWS[Namespace];
    if (ofAws === undefined) return own.has(nameOf(metric));
    const existing = ofType<LambdaFunction & EventRule>(resources, ofAws.type).map(
      ([name, { FunctionName, Name }]) =>
        ofAws.dimension === 'StateMachineArn'
          ? `arn:aws:states:eu-central-1:123456789012:stateMachine:${name}`
          : (FunctionName ?? Name ?? name),
    );
    const [dimension] = Dimensions;
    return (
      ofAws.metrics.includes(MetricName) &&
      Dimensions.length === 1 &&
      dimension!.Name === ofAws.dimension &&
      existing.includes(dimension!.Value)
    );
  };
}

function nameOf({ Namespace, MetricName, Dimensions = [] }: Partial<Metric>): string {
  return [Namespace, MetricName, ...Dimensions.map(({ Name, Value }) => `${Name}=${Value}`)].join(' ');
}

/** Namespace, name, dimensions with their values: of every metric that a dashboard shows as it is. */
export function dashboardMetrics(body: string): string[][] {
  return widgetsOf(body)
    .flatMap(widgetMetrics)
    .map(({ Namespace, MetricName, Dimensions }) => [
      Namespace,
      MetricName,
      ...Dimensions.flatMap(({ Name, Value }) => [Name, Value]),
    ]);
}

type Widget = readonly (readonly unknown[])[];

function widgetsOf(body: string): Widget[] {
  const { widgets } = JSON.parse(body) as { widgets: { properties: { metrics: unknown[][] } }[] };
  return widgets.map(({ properties }) => properties.metrics);
}

/** A widget writes `.` for what stands at that place in the metric before, and `...` for all before the last words. */
function widgetMetrics(widget: Widget): Metric[] {
  let former: string[] = [];
  return widget.flatMap((written) => {
    const words = written.filter((word) => typeof word === 'string');
    if (words.length === 0) return [];
    const rest = words.slice(1);
    const spread = words[0] === '...' ? [...former.slice(0, former.length - rest.length), ...rest] : words;
    former = spread.map((word, index) => (word === '.' ? former[index]! : word));
    const [Namespace, MetricName, ...dimensions] = former as [string, string, ...string[]];
    const Dimensions = dimensions.flatMap((Name, index) =>
      index % 2 === 0 ? [{ Name, Value: dimensions[index + 1]! }] : [],
    );
    return [{ Namespace, MetricName, Dimensions }];
  });
}

const SEARCH = /^SEARCH\('\{([\w/-]+)((?:,\w+)*)\} MetricName="(\w+)"', '\w+', \d+\)$/;

/** A widget's expressions: a search for a metric that is emitted with the service as a dimension, or maths with metrics beside it. */
function widgetProblems(widget: Widget, isEmitted: (metric: Partial<Metric>) => boolean): string[] {
  const options = widget.flatMap((written) => written.filter((word) => typeof word === 'object')) as {
    readonly id?: string;
    readonly expression?: string;
  }[];
  const ids = options.flatMap(({ id }) => id ?? []);
  return options.flatMap(({ expression }) => {
    if (expression === undefined) return [];
    const search = SEARCH.exec(expression);
    if (search === null) {
      const names = expression.match(/\b[a-z]\w*/g) ?? [];
      return names
        .filter((name) => !ids.includes(name))
        .map((name) => `${name} of its expression is no metric`);
    }
    const [, Namespace, dimensions, MetricName] = search;
    const Dimensions = [{ Name: 'service', Value: 'ncs4cvr' }];
    const isKnown =
      dimensions!.includes(',service') &&
      isEmitted({ Namespace: Namespace!, MetricName: MetricName!, Dimensions });
    return isKnown ? [] : [`nobody emits what it searches for: ${Namespace} ${MetricName}`];
  });
}
