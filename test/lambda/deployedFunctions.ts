import type { SQSBatchResponse } from 'aws-lambda';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import type { WorkUnit } from '../../lib/publish/workUnit.ts';
import { GATES_OFF_DOCUMENT } from '../fixtures/gatesOff.ts';
import { type FunnelRow, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { freshPlace, PARTITION, type Place } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { planWhole } from '../support/functions/planWhole.ts';
import { LambdaFunction, type LambdaFunctionOptions } from '../support/lambda/lambdaFunction.ts';
import { unzipFunction } from '../support/lambda/unzipFunction.ts';
import { objectCreatedEvent } from '../support/s3/objectCreatedEvent.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import type { S3Bucket } from '../support/s3/s3Bucket.ts';
import type { TestEndpoint } from '../support/s3/testEndpoint.ts';
import { SqsQueue } from '../support/sqs/sqsQueue.ts';
import { runStateMachine, type Services } from '../support/stepFunctions/runStateMachine.ts';
import { scoringRun, scoringRunServices } from '../support/stepFunctions/scoringRun.ts';
import { StepFunctionsDouble } from '../support/stepFunctions/stepFunctionsDouble.ts';

export const FUNCTIONS = ['arrivals', 'plan', 'score', 'publish'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];
export const METRICS_NAMESPACE = 'ncs4cvr-prod';

/**
 * The packaged functions in Lambda's runtime, new processes and a new place for each test; the state machine calls them as it is
 * deployed.
 */
export class DeployedFunctions {
  readonly s3: TestEndpoint;
  readonly folder = temporaryFolder();
  readonly queue = new SqsQueue();
  sfn!: StepFunctionsDouble;
  model!: TinyModel;
  place!: Place;
  functions!: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly #taskRoots = new Map<FunctionName, string>();
  readonly #created: LambdaFunction[] = [];
  #sequence = 0;
  /** Ends of the invocations so far. */
  readonly #turns = new Map<FunctionName, Promise<unknown>>();

  /** Call it once a test file, at its top. */
  constructor(s3: TestEndpoint) {
    this.s3 = s3;
    beforeAll(async () => {
      this.sfn = await StepFunctionsDouble.start(scoringRun, this.services);
      this.model = await trainTinyModel(this.folder);
      await putFolder(this.model.bundleUri, `s3://${s3.bucket}/model`);
      for (const name of FUNCTIONS) this.#taskRoots.set(name, unzipFunction(this.folder, 'x64', name));
    });
    beforeEach(async () => {
      this.queue.messages.length = 0;
      this.sfn.executions.clear();
      this.place = freshPlace(`s3://${s3.bucket}`);
      const created = await Promise.all(
        FUNCTIONS.map(async (name) => [name, await this.create(name)] as const),
      );
      this.functions = Object.fromEntries(created) as Record<FunctionName, LambdaFunction>;
    });
    afterEach(async () => {
      s3.double!.options = {};
      await Promise.all(this.#created.splice(0).map((each) => each.stop()));
    });
    afterAll(() => this.sfn.stop());
  }

  get bucket(): S3Bucket {
    return this.s3.double!.buckets.get(this.s3.bucket)!;
  }

  /** One more function, which is stopped after the test. */
  async create(
    name: FunctionName,
    {
      environment = this.environment(),
      taskRoot = this.#taskRoots.get(name)!,
    }: Partial<Pick<LambdaFunctionOptions, 'environment' | 'taskRoot'>> = {},
  ): Promise<LambdaFunction> {
    const created = await LambdaFunction.create({ name, taskRoot, environment });
    this.#created.push(created);
    return created;
  }

  /** With small parts: 100 rows. */
  job() {
    const { inputUri: input, root: scores } = this.place;
    return {
      input,
      scores,
      model: `s3://${this.s3.bucket}/model`,
      targetRows: 100,
      gates: GATES_OFF_DOCUMENT,
    };
  }

  /** As serverless.yml sets it. */
  environment() {
    return {
      JOB: JSON.stringify(this.job()),
      STATE_MACHINE_ARN: this.sfn.stateMachineArn,
      ARRIVAL_WAIT_SECONDS: '0',
      POWERTOOLS_SERVICE_NAME: 'ncs4cvr',
      POWERTOOLS_METRICS_NAMESPACE: METRICS_NAMESPACE,
      AWS_ENDPOINT_URL_S3: this.s3.double!.endpoint,
      AWS_ENDPOINT_URL_SFN: this.sfn.endpoint,
    };
  }

  /**
   * A shard lands: the object, and S3's event in the queue. Row groups have 60 rows.
   * @returns the message's id
   */
  land(name: string, shard: readonly FunnelRow[] | Buffer, partition = PARTITION): string {
    const bytes = Buffer.isBuffer(shard) ? shard : Buffer.from(funnelShard(shard, 60));
    const key = `${this.place.inputUri.slice(`s3://${this.s3.bucket}/`.length)}/${partition}/${name}`;
    const object = this.bucket.put(key, bytes, {}, {});
    const event = objectCreatedEvent(this.s3.bucket, key, object, ++this.#sequence);
    return this.queue.put(JSON.stringify(event));
  }

  /** What the state machine calls. */
  readonly services: Services = {
    ...scoringRunServices(),
    functions: {
      plan: (step) => this.#inTurn('plan', step),
      score: (unit) => this.#inTurn('score', unit),
      publish: (item) => this.#inTurn('publish', item),
    },
  };

  /** A function has one environment here, which takes one invocation at a time. */
  #inTurn(name: FunctionName, event: unknown): Promise<unknown> {
    const turn = (this.#turns.get(name) ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => this.functions[name].invoke(event));
    this.#turns.set(name, turn);
    return turn;
  }

  /** A run of the state machine that no arrival has started. @throws RunFailed */
  run(request: object = { partitions: { kind: 'newest' } }): Promise<unknown> {
    const { stateMachineArn } = this.sfn;
    return runStateMachine(scoringRun, request, this.services, {
      name: `run-${++this.#sequence}`,
      stateMachineArn,
    });
  }

  /** The work units of the newest partition, planned by the function. */
  async plannedUnits(): Promise<readonly WorkUnit[]> {
    const [planned] = await planWhole((step) => this.functions.plan.invoke(step), {
      partitions: { kind: 'newest' },
    });
    return planned!.units;
  }

  /**
   * What Lambda's poller does: takes messages and invokes the function for arrivals with them. Those that it names come again.
   * @returns ids of the messages that failed
   */
  async deliver(count = 10): Promise<string[]> {
    const event = this.queue.take(count);
    const answer = (await this.functions.arrivals.invoke(event)) as SQSBatchResponse;
    const failed = answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    this.queue.messages.push(...event.Records.filter(({ messageId }) => failed.includes(messageId)));
    return failed;
  }

  /** Delivers until the queue is empty and every run has ended. @throws Error when a message or a run fails */
  async deliverAll(): Promise<void> {
    while (this.queue.messages.length > 0) {
      const failed = await this.deliver();
      if (failed.length > 0) throw new Error(this.functions.arrivals.logLines.join('\n'));
      await this.sfn.settled();
    }
    const failed = [...this.sfn.executions.values()].find(({ status }) => status !== 'SUCCEEDED');
    if (failed !== undefined) throw new Error(`${failed.error}: ${failed.cause}`);
  }

  /** Keys of a kind of object below the output root: parts, receipts, ... */
  keys(kind: string): string[] {
    const root = this.place.root.slice(`s3://${this.s3.bucket}/`.length);
    return this.bucket.keys(`${root}/${kind}/`, '');
  }
}
