import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import type { Definition } from '../../support/stepFunctions/runStateMachine.ts';
import type { CodeCalls } from '../codeCalls.ts';
import { isInLocation, type Keys, keyProblems, type Location, locationsIn } from './locations.ts';
import {
  type EventSource,
  type LambdaFunction,
  listed,
  nameIn,
  ofType,
  type Statement,
  statementsOf,
} from './resources.ts';

export interface Role {
  readonly AssumeRolePolicyDocument: object;
  readonly Policies: readonly { readonly PolicyDocument: object }[];
  readonly ManagedPolicyArns: readonly string[];
}
interface Policy {
  readonly Roles: readonly string[];
  readonly Users: readonly string[];
  readonly Groups: readonly string[];
  readonly PolicyDocument: object;
}
interface StateMachine {
  readonly RoleArn: string;
  readonly Definition: Definition;
  readonly TracingConfiguration: { readonly Enabled: boolean };
}
interface Schedule {
  readonly Target: { readonly Arn: string; readonly RoleArn: string; readonly DeadLetterConfig?: object };
}

/** Actions that a command needs. Without s3:ListBucket, S3 answers for a missing object that it is forbidden. */
const OF_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  HeadObjectCommand: ['s3:GetObject', 's3:ListBucket'],
  GetObjectCommand: ['s3:GetObject', 's3:ListBucket'],
  ListObjectsV2Command: ['s3:ListBucket'],
  PutObjectCommand: ['s3:PutObject'],
  // Creating, sending and completing a multipart upload are s3:PutObject.
  Upload: ['s3:PutObject', 's3:AbortMultipartUpload'],
  CreateMultipartUploadCommand: ['s3:PutObject'],
  UploadPartCommand: ['s3:PutObject'],
  CompleteMultipartUploadCommand: ['s3:PutObject'],
  AbortMultipartUploadCommand: ['s3:AbortMultipartUpload'],
  DeleteObjectCommand: ['s3:DeleteObject'],
  DeleteObjectsCommand: ['s3:DeleteObject'],
  StartExecutionCommand: ['states:StartExecution'],
  ListExecutionsCommand: ['states:ListExecutions'],
  DescribeExecutionCommand: ['states:DescribeExecution'],
  RedriveExecutionCommand: ['states:RedriveExecution'],
  ListMapRunsCommand: ['states:ListMapRuns'],
  DescribeMapRunCommand: ['states:DescribeMapRun'],
  PutEventsCommand: ['events:PutEvents'],
  InvokeCommand: ['lambda:InvokeFunction'],
};
/** Actions that a state needs by its `Resource`, or that of its reader or writer. */
const OF_STATES: Readonly<Record<string, readonly string[]>> = {
  'arn:aws:states:::lambda:invoke': ['lambda:InvokeFunction'],
  'arn:aws:states:::s3:getObject': ['s3:GetObject'],
  'arn:aws:states:::s3:putObject': [
    's3:PutObject',
    's3:GetObject',
    's3:ListMultipartUploadParts',
    's3:AbortMultipartUpload',
  ],
  'arn:aws:states:::aws-sdk:sfn:describeMapRun': ['states:DescribeMapRun'],
};
const DISTRIBUTED_MAP = [
  'states:StartExecution',
  'states:DescribeExecution',
  'states:StopExecution',
  'states:RedriveExecution',
];
const QUEUE_CONSUMER = ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'];
const LOGS = ['logs:CreateLogStream', 'logs:PutLogEvents'];
const TRACES = ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'];
/** Step Functions samples by itself; a function is told. */
const SAMPLING = ['xray:GetSamplingRules', 'xray:GetSamplingTargets'];
/** These know no resource: segments and sampling rules belong to the account and its region. */
const WITHOUT_RESOURCE = new Set([...TRACES, ...SAMPLING]);

/** What a role is for: who takes it, and what that needs. */
interface Duty {
  readonly role: string;
  readonly service: string;
  readonly actions: ReadonlySet<string>;
  /** The log group that it may write to. */
  readonly logGroup?: string;
  /** The function that it may invoke; one of the template's for all others. */
  readonly invoked?: string | undefined;
}

/**
 * Every role may do what its owner does and nothing else, on resources of this template and below the locations of its job, with
 * the keys of those.
 */
export function roles(
  resources: Resources,
  calls: Readonly<Record<string, CodeCalls>>,
  keys: Keys = {},
): string[] {
  const duties = dutiesIn(resources, calls);
  const locations = locationsIn(resources, keys);
  return ofType<Role>(resources, 'AWS::IAM::Role').flatMap(([name, role]) => {
    const own = duties.filter((duty) => duty.role === name);
    const [duty] = own;
    if (duty === undefined) return [`${name}: nobody takes it`];
    const allowed = allowances(name, role, resources);
    return [
      ...(own.length > 1 ? ['is shared'] : []),
      ...(role.ManagedPolicyArns === undefined ? [] : ['has policies that are not ours']),
      ...trustProblems(role, duty),
      ...actionProblems(allowed, duty.actions),
      ...allowed.flatMap((statement) => scopeProblems(statement, resources, locations, duty)),
      ...keyProblems(allowed, locations),
    ].map((problem) => `${name}: ${problem}`);
  });
}

/** The policy for operators allows what their commands call and nothing else, and is nobody's before somebody takes it. */
export function operators(resources: Resources, { commands }: CodeCalls, keys: Keys = {}): string[] {
  const locations = locationsIn(resources, keys);
  const invoked = auditFunctionOf(resources);
  const policies = ofType<Policy>(resources, 'AWS::IAM::ManagedPolicy');
  // What invokes the job's own audit is a policy of its own, for those who want it.
  const expected = invoked === undefined ? ['OperatorPolicy'] : ['OperatorAuditPolicy', 'OperatorPolicy'];
  if (
    policies
      .map(([name]) => name)
      .sort()
      .join() !== expected.join()
  ) {
    return [`${policies.length} policies for operators`];
  }
  return policies.flatMap(([name, policy]) => {
    const allowed = statementsOf(policy.PolicyDocument);
    const attached = [policy.Roles, policy.Users, policy.Groups].flatMap(listed);
    const called = commands.filter((each) => (each === AUDIT_COMMAND) === (name === 'OperatorAuditPolicy'));
    return [
      ...(attached.length === 0 ? [] : [`is attached to ${attached.join()}`]),
      ...actionProblems(allowed, new Set(called.flatMap(actionsOfCommand))),
      ...allowed.flatMap((statement) => scopeProblems(statement, resources, locations, { invoked })),
      ...(name === 'OperatorAuditPolicy' ? [] : keyProblems(allowed, locations)),
    ].map((problem) => `${name}: ${problem}`);
  });
}

const AUDIT_COMMAND = 'InvokeCommand';

/** ARN of the function that the job audits by, as the deployed functions are told of it. */
function auditFunctionOf(resources: Resources): string | undefined {
  const [job] = ofType<LambdaFunction>(resources, 'AWS::Lambda::Function').flatMap(
    ([, { Environment }]) => Environment?.Variables.JOB ?? [],
  );
  const { gates } = JSON.parse(job ?? '{}') as { gates?: { audit?: { function: string } } };
  const name = gates?.audit?.function;
  if (name === undefined || name.startsWith('arn:')) return name;
  return `arn:aws:lambda:eu-central-1:123456789012:function:${name}`;
}

const actionsOfCommand = (command: string) => OF_COMMANDS[command] ?? [`${command}?`];

/** Keys aside: what is needed of them follows from what is read and written (keyProblems). */
function actionProblems(allowed: readonly Statement[], needed: ReadonlySet<string>): string[] {
  const actions = new Set(
    allowed.flatMap(({ Action }) => listed(Action)).filter((action) => !action.startsWith('kms:')),
  );
  return [
    ...[...actions]
      .filter((action) => !needed.has(action))
      .map((action) => `may ${action}, which nothing calls`),
    ...[...needed]
      .filter((action) => !actions.has(action))
      .map((action) => `may not ${action}, which is called`),
  ];
}

function dutiesIn(resources: Resources, calls: Readonly<Record<string, CodeCalls>>): Duty[] {
  const sources = ofType<EventSource>(resources, 'AWS::Lambda::EventSourceMapping');
  const invoked = auditFunctionOf(resources);
  const ofFunctions = ofType<LambdaFunction>(resources, 'AWS::Lambda::Function').map(
    ([, { FunctionName = '', Role = '', TracingConfig }]): Duty => {
      // Nobody's audit is asked unless the job has one.
      const commands = (calls[FunctionName.split('-').at(-1)!]?.commands ?? []).filter(
        (each) => each !== AUDIT_COMMAND || invoked !== undefined,
      );
      const isConsumer = sources.some(([, source]) => nameIn(source.FunctionName!) === FunctionName);
      return {
        role: nameIn(Role),
        service: 'lambda.amazonaws.com',
        actions: new Set([
          ...commands.flatMap(actionsOfCommand),
          ...(isConsumer ? QUEUE_CONSUMER : []),
          ...LOGS,
          ...(TracingConfig?.Mode === 'Active' ? TRACES : []),
        ]),
        logGroup: `/aws/lambda/${FunctionName}`,
        invoked: invoked ?? 'none',
      };
    },
  );
  const ofMachines = ofType<StateMachine>(resources, 'AWS::StepFunctions::StateMachine').map(
    ([, { RoleArn = '', Definition, TracingConfiguration }]): Duty => ({
      role: nameIn(RoleArn),
      service: 'states.amazonaws.com',
      actions: new Set([
        ...actionsOfStates(Definition!),
        ...(TracingConfiguration?.Enabled === true ? [...TRACES, ...SAMPLING] : []),
      ]),
    }),
  );
  const ofSchedules = ofType<Schedule>(resources, 'AWS::Scheduler::Schedule').map(
    ([, { Target }]): Duty => ({
      role: nameIn(Target!.RoleArn),
      service: 'scheduler.amazonaws.com',
      actions: new Set([
        startOf(Target!.Arn),
        ...(Target!.DeadLetterConfig === undefined ? [] : ['sqs:SendMessage']),
      ]),
    }),
  );
  return [...ofFunctions, ...ofMachines, ...ofSchedules];
}

function startOf(arn: string): string {
  if (arn.includes(':stateMachine:')) return 'states:StartExecution';
  return arn.includes(':function:') ? 'lambda:InvokeFunction' : `start ${arn}?`;
}

function actionsOfStates({ States }: Definition): string[] {
  return Object.values(States).flatMap((state) => {
    const { Resource, ItemReader, ResultWriter, ItemProcessor } = state as {
      Resource?: string;
      ItemReader?: { Resource: string };
      ResultWriter?: { Resource: string };
      ItemProcessor?: Definition & { ProcessorConfig: { Mode: string } };
    };
    const called = [Resource, ItemReader?.Resource, ResultWriter?.Resource].filter(
      (each) => each !== undefined,
    );
    return [
      ...called.flatMap((each) => OF_STATES[each] ?? [`${each}?`]),
      ...(ItemProcessor?.ProcessorConfig.Mode === 'DISTRIBUTED' ? DISTRIBUTED_MAP : []),
      ...(ItemProcessor === undefined ? [] : actionsOfStates(ItemProcessor)),
    ];
  });
}

/** Statements of a role, its own and those attached to it. */
export function allowances(
  name: string,
  { Policies = [] }: Partial<Role>,
  resources: Resources,
): Statement[] {
  const attached = ofType<Policy>(resources, 'AWS::IAM::Policy').filter(([, { Roles = [] }]) =>
    Roles.includes(name),
  );
  return [...Policies, ...attached.map(([, policy]) => policy)].flatMap(({ PolicyDocument }) =>
    statementsOf(PolicyDocument),
  );
}

function trustProblems({ AssumeRolePolicyDocument }: Partial<Role>, { service }: Duty): string[] {
  const trusted = statementsOf(AssumeRolePolicyDocument).flatMap(({ Principal }) =>
    JSON.stringify(Principal),
  );
  return trusted.join() === JSON.stringify({ Service: service }) ? [] : [`is taken by ${trusted.join()}`];
}

function scopeProblems(
  statement: Statement,
  resources: Resources,
  locations: readonly Location[],
  duty: Pick<Duty, 'logGroup' | 'invoked'>,
): string[] {
  const { Effect, Action, Resource, Condition } = statement;
  if (Effect !== 'Allow' || Action === undefined || Resource === undefined) {
    return ['has a statement that allows by exception'];
  }
  const actions = listed(Action);
  const isConditional = actions.every((action) => /^s3:ListBucket$|^kms:/.test(action));
  return [
    ...(Condition === undefined || isConditional ? [] : [`has conditions: ${JSON.stringify(Condition)}`]),
    ...actions.filter((action) => !/^[a-z0-9]+:[A-Za-z]+$/.test(action)).map((action) => `may ${action}`),
    ...listed(Resource).flatMap((resource) => {
      if (resource === '*') {
        return actions
          .filter((action) => !WITHOUT_RESOURCE.has(action))
          .map((action) => `may ${action} on everything`);
      }
      return actions
        .filter((action) =>
          /^(s3|kms):/.test(action)
            ? !isInLocation(action, resource, Condition, locations)
            : !isOurs(action, resource, resources, duty),
        )
        .map((action) => `may ${action} on ${resource}`);
    }),
  ];
}

/** Is it a resource of the template, of the kind that the action is about, and nothing beside it? */
function isOurs(
  action: string,
  resource: string,
  resources: Resources,
  { logGroup, invoked }: Pick<Duty, 'logGroup' | 'invoked'>,
): boolean {
  const isOfType = (name: string, type: string) => resources[name]?.Type === type;
  const [service] = action.split(':') as [string];
  if (service === 'lambda' && invoked !== undefined) return resource === invoked;
  const inAccount = `arn:aws:${service}:eu-central-1:123456789012:`;
  if (!resource.startsWith(inAccount)) return false;
  const rest = resource.slice(inAccount.length);
  if (service === 'sqs') return isOfType(rest, 'AWS::SQS::Queue');
  // A bus is the account's, and may be its default one.
  if (service === 'events') return /^event-bus\/[\w.-]+$/.test(rest);
  if (service === 'logs') return rest === `log-group:${logGroup}:*`;
  if (service === 'lambda') {
    return ofType<LambdaFunction>(resources, 'AWS::Lambda::Function').some(
      ([, { FunctionName }]) => rest === `function:${FunctionName}`,
    );
  }
  const [, machine] =
    /^(?:stateMachine:(\w+)(?:\/\*)?$)|(?:execution:(\w+)[:/]\*$)|(?:mapRun:(\w+)\/\*$)/
      .exec(rest)
      ?.filter(Boolean) ?? [];
  return (
    service === 'states' && machine !== undefined && isOfType(machine, 'AWS::StepFunctions::StateMachine')
  );
}
