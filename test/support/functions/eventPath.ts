import type { SQSEvent } from 'aws-lambda';
import { handler as arrivalsHandler } from '../../../functions/arrivals.ts';
import { RandomStream } from '../../../lib/base/randomStream.ts';
import { writeWhole } from '../../../lib/storage/openStorage.ts';
import { objectCreatedEvent } from '../s3/objectCreatedEvent.ts';
import type { TestEndpoint } from '../s3/testEndpoint.ts';
import { SqsQueue } from '../sqs/sqsQueue.ts';
import type { Services } from '../stepFunctions/runStateMachine.ts';
import { scoringRun, scoringRunServices } from '../stepFunctions/scoringRun.ts';
import { type DoubleExecution, StepFunctionsDouble } from '../stepFunctions/stepFunctionsDouble.ts';
import { setJob } from './jobVariable.ts';

/**
 * The way of a shard that lands, in this process: S3 tells a queue, the function for arrivals gets its messages in any order,
 * some more than once, and starts the state machine as it is deployed. Needs the S3 double.
 */
export class EventPath {
  readonly queue = new SqsQueue();
  readonly sfn: StepFunctionsDouble;
  /** What the state machine calls and waits for; a case may replace it. */
  readonly services: { -readonly [Key in keyof Services]: Services[Key] };
  readonly #bucket: string;
  #sequence = 0;
  /** Below which new shards are told of; of the current case. */
  #features = '';
  #copies = 1;

  private constructor(
    { bucket: home, double }: TestEndpoint,
    sfn: StepFunctionsDouble,
    services: EventPath['services'],
  ) {
    this.#bucket = home;
    this.sfn = sfn;
    this.services = services;
    sfn.onEnded = (execution) => this.#tellEnd(execution);
    double!.options = {
      ...double!.options,
      onObjectCreated: ({ bucket, key, object }) => {
        if (!key.startsWith(`${this.#features}/`) || !key.endsWith('.parquet')) return;
        const body = JSON.stringify(objectCreatedEvent(bucket, key, object, ++this.#sequence));
        for (let i = 0; i < this.#copies; i++) this.queue.put(body);
      },
    };
  }

  static async start(s3: TestEndpoint): Promise<EventPath> {
    const services = { ...scoringRunServices() };
    const sfn = await StepFunctionsDouble.start(scoringRun, services);
    Object.assign(process.env, {
      AWS_ENDPOINT_URL_SFN: sfn.endpoint,
      STATE_MACHINE_ARN: sfn.stateMachineArn,
    });
    return new EventPath(s3, sfn, services);
  }

  stop(): Promise<void> {
    return this.sfn.stop();
  }

  /** An empty queue, and the functions' environment with folders of its own. @returns URI of that environment's root */
  begin(name: string, modelUri: string, targetRows: number): string {
    this.queue.messages.length = 0;
    this.sfn.executions.clear();
    Object.assign(this.services, scoringRunServices(), { wait: undefined });
    this.#features = `${name}/features`;
    const root = `s3://${this.#bucket}/${name}`;
    setJob({ input: `${root}/features`, scores: `${root}/scores`, model: modelUri, targetRows });
    return root;
  }

  /** A shard lands, and S3 tells of it `copies` times. @param name such as `dt=2024-03-11/a.parquet` */
  async land(name: string, shard: Uint8Array, copies = 1): Promise<void> {
    this.#copies = copies;
    await writeWhole(`s3://${this.#bucket}/${this.#features}/${name}`, shard);
  }

  /** Inputs and ends of the runs that arrivals have started, in order. */
  runs(): DoubleExecution[] {
    return [...this.sfn.executions.values()].filter(({ name }) => name.startsWith('arrival-'));
  }

  /**
   * Delivers messages in random order and batches, some of them twice, until nothing is left and every run has ended.
   * @returns how many deliveries it took
   */
  async deliverAll(seed: number): Promise<number> {
    const random = new RandomStream(seed);
    const { messages } = this.queue;
    for (let deliveries = 0; deliveries < 500; ) {
      if (messages.length === 0) {
        await this.sfn.settled();
        if (messages.length === 0) return deliveries;
      }
      deliveries++;
      await this.deliver(
        this.queue.take(1 + random.nextBelow(3), (length) => random.nextBelow(length)),
        () => random.nextUniform() < 0.2,
      );
    }
    throw new Error('the queue never empties');
  }

  /** Delivers messages that were taken: those that failed, and those of which it is said so, go back. @returns ids of the failed */
  async deliver(event: SQSEvent, comesAgain: () => boolean = () => false): Promise<string[]> {
    const { batchItemFailures } = await arrivalsHandler(event);
    const failed = batchItemFailures.map(({ itemIdentifier }) => itemIdentifier);
    this.queue.messages.push(
      ...event.Records.filter(({ messageId }) => failed.includes(messageId) || comesAgain()),
    );
    return failed;
  }

  /** What EventBridge tells the queue by the stack's rule. */
  #tellEnd({ executionArn, name, status, input }: DoubleExecution): void {
    if (!name.startsWith('arrival-') || status === 'SUCCEEDED') return;
    const stateMachineArn = this.sfn.stateMachineArn;
    this.queue.put(
      JSON.stringify({
        version: '0',
        source: 'aws.states',
        'detail-type': 'Step Functions Execution Status Change',
        resources: [executionArn],
        detail: { executionArn, stateMachineArn, name, status, input, inputDetails: { included: true } },
      }),
    );
  }
}
