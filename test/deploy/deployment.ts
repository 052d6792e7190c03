import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  CreateStateMachineCommand,
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  ListExecutionsCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { Resources } from '../support/cloudFormation/packagedTemplate.ts';
import { resolveTemplate } from '../support/cloudFormation/resolveTemplate.ts';
import { LambdaFunction } from '../support/lambda/lambdaFunction.ts';
import { LAMBDA_REGION } from '../support/lambda/lambdaVariables.ts';
import { unzipFunction } from '../support/lambda/unzipFunction.ts';
import type { Definition } from '../support/stepFunctions/runStateMachine.ts';
import { FrontDoor } from './frontDoor.ts';
import { motoDefinition } from './motoDefinition.ts';
import { type DeployedStack, MotoServer, packageStack } from './motoServer.ts';
import { QueuePoller } from './queuePoller.ts';
import type { Statement } from './rolePolicy.ts';

const FUNCTIONS = ['arrivals', 'plan', 'score', 'publish'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];
/** The access key that moto's interpreter signs with. */
export const STATE_MACHINE = 'ak';
/** Who may do everything: what operators and upstream do. Not through the front door. */
const OPERATOR = { accessKeyId: 'operator', secretAccessKey: 'operator' };
const RUN_MILLIS = 150_000;

export interface Execution {
  readonly status: string;
  /** Of a run that failed. */
  readonly error: string;
  /** States of the run itself, in the order in which they were entered. */
  readonly states: readonly string[];
}

/** The packaged stack on moto, with the packaged functions under Lambda's runtime: one environment each. */
export class Deployment {
  readonly moto: MotoServer;
  readonly door: FrontDoor;
  readonly stack: DeployedStack;
  readonly template: Resources;
  /** Statements of each caller's role; taking one away takes the right away. */
  readonly roles: Map<string, readonly Statement[]>;
  readonly functions: Readonly<Record<FunctionName, LambdaFunction>>;
  /** The function of the account that the stage is told to ask. */
  audit: (event: unknown) => object = () => ({ passes: true });
  readonly s3: S3Client;
  readonly #sfn: SFNClient;
  readonly #sqs: SQSClient;
  readonly #poller: QueuePoller;
  /** Ends of the invocations so far: one at a time. */
  readonly #turns = new Map<FunctionName, Promise<unknown>>();

  private constructor(
    moto: MotoServer,
    door: FrontDoor,
    stack: DeployedStack,
    template: Resources,
    functions: Readonly<Record<FunctionName, LambdaFunction>>,
  ) {
    this.moto = moto;
    this.door = door;
    this.stack = stack;
    this.template = template;
    this.functions = functions;
    const client = { endpoint: moto.endpoint, region: LAMBDA_REGION, credentials: OPERATOR };
    this.s3 = new S3Client({ ...client, forcePathStyle: true });
    this.#sfn = new SFNClient(client);
    this.#sqs = new SQSClient(client);
    const { ArrivalsRole, PlanRole, ScoreRole, PublishRole, ScoringRunRole } = stack.roles;
    this.roles = new Map([
      ['arrivals', ArrivalsRole!],
      ['plan', PlanRole!],
      ['score', ScoreRole!],
      ['publish', PublishRole!],
      [STATE_MACHINE, ScoringRunRole!],
    ]);
    const arns = Object.values(stack.queueArns).map((arn) => [arn.split(':').at(-1)!, arn] as const);
    const invoke = async (functionArn: string, event: unknown) =>
      functionArn.endsWith(':scores-audit') ? this.audit(event) : this.invoke(functionIn(functionArn), event);
    this.#poller = this.#eventsPoller();
    door.open({ roles: this.roles, queueArns: new Map(arns), invoke }, moto.port);
  }

  /** @param folder for the unzipped functions */
  static async start(folder: string): Promise<Deployment> {
    const door = await FrontDoor.start();
    const [moto, packageFolder] = await Promise.all([MotoServer.start(door.port), packageStack()]);
    try {
      const stack = await moto.deploy(packageFolder);
      const update = join(packageFolder, 'cloudformation-template-update-stack.json');
      const template = JSON.parse(readFileSync(update, 'utf8')).Resources as Resources;
      const functions = await Promise.all(
        FUNCTIONS.map(async (name) => [name, await createFunction(name, stack, door, folder)] as const),
      );
      const byName = Object.fromEntries(functions) as Record<FunctionName, LambdaFunction>;
      return new Deployment(moto, door, stack, template, byName);
    } catch (error) {
      await moto.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(Object.values(this.functions).map((each) => each.stop()));
    await this.moto.stop();
    await this.door.stop();
  }

  /** Physical name of a bucket. */
  bucket(name: 'Features' | 'Models' | 'Scores'): string {
    return this.stack.resources[`${name}Bucket`]!;
  }

  async put(bucket: string, key: string, bytes: Uint8Array): Promise<void> {
    await this.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes }));
  }

  async get(uri: string): Promise<Uint8Array> {
    const { host, pathname } = new URL(uri);
    const key = decodeURIComponent(pathname.slice(1));
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: host, Key: key }));
    return Body!.transformToByteArray();
  }

  /** Keys and ETags of the scores bucket, but for plans and what runs leave. */
  async published(): Promise<Map<string, string>> {
    const { Contents = [] } = await this.s3.send(new ListObjectsV2Command({ Bucket: this.bucket('Scores') }));
    const kept = Contents.filter(({ Key }) => !/^(plans|runs|arrivals)\//.test(Key!));
    return new Map(kept.map(({ Key, ETag }) => [Key!, ETag!]));
  }

  async invoke(name: FunctionName, event: unknown): Promise<unknown> {
    const timeoutMillis = deployedFunction(this.stack, name).Timeout * 1000;
    const turn = (this.#turns.get(name) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.functions[name].invoke(event, { timeoutMillis }));
    this.#turns.set(name, turn);
    return turn;
  }

  /** The packaged definition, with its substitutions made. */
  get definition(): Definition {
    return resolveTemplate(this.template).ScoringRun!.Properties!.Definition as Definition;
  }

  /** Makes a state machine of a definition, under the deployed one's name, to which something may be added. @returns its ARN */
  async createMachine(definition = this.definition, suffix = ''): Promise<string> {
    const { stateMachineArn } = await this.#sfn.send(
      new CreateStateMachineCommand({
        name: `${this.stack.resources.ScoringRun!.split(':').at(-1)}${suffix}`,
        definition: motoDefinition(definition, this.bucket('Scores')),
        roleArn: `arn:aws:iam::123456789012:role/${this.stack.resources.ScoringRunRole}`,
      }),
    );
    return stateMachineArn!;
  }

  /**
   * Runs a definition to its end, under the state machine's role and its name, to which something may be added.
   * @throws Error as soon as a right is lacking: retries would go on for minutes
   */
  async run(input: string, definition = this.definition, suffix = ''): Promise<Execution> {
    const stateMachineArn = await this.createMachine(definition, suffix);
    const { executionArn } = await this.#sfn.send(
      new StartExecutionCommand({ stateMachineArn, name: randomUUID(), input }),
    );
    const deadline = Date.now() + RUN_MILLIS;
    for (;;) {
      const { status, error, cause } = await this.#sfn.send(new DescribeExecutionCommand({ executionArn }));
      const { complaints } = this.door;
      if (complaints.length > 0) throw new Error(`the run ${complaints.join('; ')}`);
      if (status === 'RUNNING' && Date.now() < deadline) {
        await sleep(200);
        continue;
      }
      const history = new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 });
      const { events = [] } = await this.#sfn.send(history);
      const states = events.flatMap(({ stateEnteredEventDetails: entered }) => entered?.name ?? []);
      return { status: status!, error: `${error ?? ''} ${cause ?? ''}`.trim(), states };
    }
  }

  /**
   * Polls the events queue as Lambda does until it is empty, and waits for the runs that are started.
   * @returns bodies of the messages that the function failed on
   */
  async deliverAll(): Promise<string[]> {
    const failed: string[] = [];
    for (;;) {
      const round = await this.#poller.deliver();
      if (round === undefined && (await this.#runningArrivals()).length === 0) return failed;
      failed.push(...(round ?? []));
      const { complaints } = this.door;
      if (complaints.length > 0) throw new Error(`an arrival ${complaints.join('; ')}`);
      if (round === undefined) await sleep(200);
    }
  }

  /** Statuses of the runs that arrivals have started, the newest first. */
  async arrivals(): Promise<string[]> {
    const stateMachineArn = this.stack.resources.ScoringRun!;
    const { executions = [] } = await this.#sfn.send(new ListExecutionsCommand({ stateMachineArn }));
    return executions.filter(({ name }) => name!.startsWith('arrival-')).map(({ status }) => status!);
  }

  async #runningArrivals(): Promise<string[]> {
    return (await this.arrivals()).filter((status) => status === 'RUNNING');
  }

  /** Messages that a queue holds, hidden ones too. */
  async waiting(queue: string): Promise<number> {
    const names = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'] as const;
    const { Attributes = {} } = await this.#sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: this.#queueUrl(queue), AttributeNames: [...names] }),
    );
    return names.reduce((sum, name) => sum + Number(Attributes[name]), 0);
  }

  /** By the mapping of the function for arrivals, with its own role. */
  #eventsPoller(): QueuePoller {
    const name = 'arrivals';
    const { FunctionArn } = deployedFunction(this.stack, name);
    const mapping = this.stack.mappings.find((each) => each.FunctionArn === FunctionArn)!;
    const [queue] = Object.entries(this.stack.queueArns).find(([, arn]) => arn === mapping.EventSourceArn)!;
    return new QueuePoller({
      endpoint: this.door.endpoint,
      queueUrl: onEndpoint(this.stack.resources[queue]!, this.door.endpoint),
      queueArn: mapping.EventSourceArn,
      batchSize: mapping.BatchSize,
      accessKeyId: name,
      invoke: (event) => this.invoke(name, event),
    });
  }

  #queueUrl(queue: string): string {
    return onEndpoint(this.stack.resources[queue]!, this.moto.endpoint);
  }
}

function deployedFunction(stack: DeployedStack, name: FunctionName) {
  return stack.functions[`${name[0]!.toUpperCase()}${name.slice(1)}LambdaFunction`]!;
}

function functionIn(functionArn: string): FunctionName {
  const name = FUNCTIONS.find((each) => functionArn.endsWith(`-${each}`));
  if (name === undefined) throw new Error(`no such function: ${functionArn}`);
  return name;
}

/** The zip that was uploaded, with the variables that CloudFormation has given it. */
function createFunction(name: FunctionName, stack: DeployedStack, door: FrontDoor, folder: string) {
  const { FunctionName, MemorySize, Environment } = deployedFunction(stack, name);
  const variables = Object.entries(Environment.Variables).map(([key, value]) => [
    key,
    value.startsWith('https://sqs.') ? onEndpoint(value, door.endpoint) : value,
  ]);
  return LambdaFunction.create({
    name: FunctionName,
    taskRoot: unzipFunction(folder, 'x64', name),
    memorySize: MemorySize,
    environment: {
      ...Object.fromEntries(variables),
      AWS_ENDPOINT_URL: door.endpoint,
      AWS_ACCESS_KEY_ID: name,
    },
  });
}

/** A queue's URL with another origin. */
function onEndpoint(queueUrl: string, endpoint: string): string {
  return endpoint + new URL(queueUrl).pathname;
}
