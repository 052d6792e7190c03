import type { SQSBatchResponse } from 'aws-lambda';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type FunnelRow, funnelShard } from '../fixtures/tinyFunnel.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { freshPlace, PARTITION, type Place } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { LambdaFunction, type LambdaFunctionOptions } from '../support/lambda/lambdaFunction.ts';
import { unzipFunction } from '../support/lambda/unzipFunction.ts';
import { objectCreatedEvent } from '../support/s3/objectCreatedEvent.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import type { S3Bucket } from '../support/s3/s3Bucket.ts';
import type { TestEndpoint } from '../support/s3/testEndpoint.ts';
import { SqsDouble } from '../support/sqs/sqsDouble.ts';

export const FUNCTIONS = ['plan', 'score', 'publish'] as const;
export type FunctionName = (typeof FUNCTIONS)[number];
/** The queue that each function works on. */
const QUEUES = { plan: 'events', score: 'units', publish: 'publish' } as const;
export const METRICS_NAMESPACE = 'ncs4cvr-prod';

/** The three packaged functions in Lambda's runtime, new processes and a new place for each test. */
export class DeployedFunctions {
  readonly s3: TestEndpoint;
  readonly folder = temporaryFolder();
  sqs!: SqsDouble;
  model!: TinyModel;
  place!: Place;
  functions!: Readonly<Record<FunctionName, LambdaFunction>>;
  readonly #taskRoots = new Map<FunctionName, string>();
  readonly #created: LambdaFunction[] = [];
  #sequence = 0;

  /** Call it once a test file, at its top. */
  constructor(s3: TestEndpoint) {
    this.s3 = s3;
    beforeAll(async () => {
      this.sqs = await SqsDouble.start();
      this.model = await trainTinyModel(this.folder);
      await putFolder(this.model.bundleUri, `s3://${s3.bucket}/model`);
      for (const name of FUNCTIONS) this.#taskRoots.set(name, unzipFunction(this.folder, 'x64', name));
    });
    beforeEach(async () => {
      this.sqs.queues.clear();
      this.place = freshPlace(`s3://${s3.bucket}`);
      const [plan, score, publish] = await Promise.all(FUNCTIONS.map((name) => this.create(name)));
      this.functions = { plan: plan!, score: score!, publish: publish! };
    });
    afterEach(async () => {
      s3.double!.options = {};
      await Promise.all(this.#created.splice(0).map((each) => each.stop()));
    });
    afterAll(() => this.sqs.stop());
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
    return { input, scores, model: `s3://${this.s3.bucket}/model`, targetRows: 100 };
  }

  /** As serverless.yml sets it. */
  environment() {
    return {
      JOB: JSON.stringify(this.job()),
      UNITS_QUEUE_URL: this.sqs.queueUrl(QUEUES.score),
      PUBLISH_QUEUE_URL: this.sqs.queueUrl(QUEUES.publish),
      POWERTOOLS_SERVICE_NAME: 'ncs4cvr',
      POWERTOOLS_METRICS_NAMESPACE: METRICS_NAMESPACE,
      AWS_ENDPOINT_URL_S3: this.s3.double!.endpoint,
      AWS_ENDPOINT_URL_SQS: this.sqs.endpoint,
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
    return this.send('plan', JSON.stringify(event));
  }

  /** @returns the message's id */
  send(name: FunctionName, body: string): string {
    return this.sqs.put(this.sqs.queueUrl(QUEUES[name]), body);
  }

  /** Messages that wait for a function. */
  waiting(name: FunctionName) {
    return this.sqs.queues.get(this.sqs.queueUrl(QUEUES[name])) ?? [];
  }

  /**
   * What Lambda's poller does: takes messages and invokes the function with them. Those that it names come again, and
   * all of them when the invocation fails.
   * @returns ids of the messages that failed
   * @throws InvocationError
   */
  async deliver(name: FunctionName, { count = 10, timeoutMillis = 60_000 } = {}): Promise<string[]> {
    const event = this.sqs.take(this.sqs.queueUrl(QUEUES[name]), count);
    let failed = event.Records.map(({ messageId }) => messageId);
    try {
      const answer = await this.functions[name].invoke(event, { timeoutMillis });
      failed = (answer as SQSBatchResponse).batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    } finally {
      this.waiting(name).push(...event.Records.filter(({ messageId }) => failed.includes(messageId)));
    }
    return failed;
  }

  /** Delivers until every queue is empty. @throws Error when a message fails */
  async deliverAll(): Promise<void> {
    for (;;) {
      const name = FUNCTIONS.find((each) => this.waiting(each).length > 0);
      if (name === undefined) return;
      const failed = await this.deliver(name);
      if (failed.length > 0) throw new Error(`${name} failed: ${this.functions[name].logLines.join('\n')}`);
    }
  }

  /** What is waiting for a function, as documents. */
  documents<Document>(name: FunctionName): Document[] {
    return this.waiting(name).map(({ body }) => JSON.parse(body) as Document);
  }

  /** Keys of a kind of object below the output root: parts, receipts, ... */
  keys(kind: string): string[] {
    const root = this.place.root.slice(`s3://${this.s3.bucket}/`.length);
    return this.bucket.keys(`${root}/${kind}/`, '');
  }
}
