import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { handler as planHandler } from '../../../functions/plan.ts';
import { handler as publishHandler } from '../../../functions/publish.ts';
import { handler as scoreHandler } from '../../../functions/score.ts';
import { RandomStream } from '../../../lib/base/randomStream.ts';
import { writeWhole } from '../../../lib/storage/openStorage.ts';
import { objectCreatedEvent } from '../s3/objectCreatedEvent.ts';
import type { TestEndpoint } from '../s3/testEndpoint.ts';
import { SqsDouble } from '../sqs/sqsDouble.ts';
import { setJob } from './jobVariable.ts';

/** A context with this much time left. */
export const time = (millis: number) => ({ getRemainingTimeInMillis: () => millis });

type QueueName = 'events' | 'units' | 'publish';

/**
 * The way of a shard that lands, in this process: S3 tells a queue, and the functions get messages in any order, some
 * more than once. Needs the S3 double.
 */
export class EventPath {
  readonly #s3: TestEndpoint;
  readonly #sqs: SqsDouble;
  #sequence = 0;
  /** Below which new shards are told of; of the current case. */
  #features = '';
  #copies = 1;

  private constructor(s3: TestEndpoint, sqs: SqsDouble) {
    this.#s3 = s3;
    this.#sqs = sqs;
    s3.double!.options = {
      ...s3.double!.options,
      onObjectCreated: ({ bucket, key, object }) => {
        if (!key.startsWith(`${this.#features}/`) || !key.endsWith('.parquet')) return;
        const body = JSON.stringify(objectCreatedEvent(bucket, key, object, ++this.#sequence));
        for (let i = 0; i < this.#copies; i++) sqs.put(sqs.queueUrl('events'), body);
      },
    };
  }

  static async start(s3: TestEndpoint): Promise<EventPath> {
    const sqs = await SqsDouble.start();
    process.env.AWS_ENDPOINT_URL_SQS = sqs.endpoint;
    return new EventPath(s3, sqs);
  }

  stop(): Promise<void> {
    return this.#sqs.stop();
  }

  /** Empty queues, and the functions' environment with folders of its own. @returns URI of that environment's root */
  begin(name: string, modelUri: string, targetRows: number): string {
    this.#sqs.queues.clear();
    this.#features = `${name}/features`;
    const root = `s3://${this.#s3.bucket}/${name}`;
    setJob({ input: `${root}/features`, scores: `${root}/scores`, model: modelUri, targetRows });
    Object.assign(process.env, {
      UNITS_QUEUE_URL: this.#sqs.queueUrl('units'),
      PUBLISH_QUEUE_URL: this.#sqs.queueUrl('publish'),
    });
    return root;
  }

  /** A shard lands, and S3 tells of it `copies` times. @param name such as `dt=2024-03-11/a.parquet` */
  async land(name: string, shard: Uint8Array, copies = 1): Promise<void> {
    this.#copies = copies;
    await writeWhole(`s3://${this.#s3.bucket}/${this.#features}/${name}`, shard);
  }

  /** The messages in a queue, which may be changed. */
  waiting(queue: QueueName): SQSRecord[] {
    const url = this.#sqs.queueUrl(queue);
    if (!this.#sqs.queues.has(url)) this.#sqs.queues.set(url, []);
    return this.#sqs.queues.get(url)!;
  }

  take(queue: QueueName, count: number, pick?: (length: number) => number): SQSEvent {
    return this.#sqs.take(this.#sqs.queueUrl(queue), count, pick);
  }

  /** Delivers messages in random order and batches, some of them twice, until nothing is left. */
  async deliverAll(seed: number, millis: () => number = () => 600_000): Promise<number> {
    const random = new RandomStream(seed);
    const handlers: Readonly<Record<QueueName, (event: SQSEvent) => Promise<unknown>>> = {
      events: planHandler,
      units: (event) => scoreHandler(event, time(millis())),
      publish: publishHandler,
    };
    for (let deliveries = 0; deliveries < 500; deliveries++) {
      const open = (Object.keys(handlers) as QueueName[]).filter((queue) => this.waiting(queue).length > 0);
      if (open.length === 0) return deliveries;
      const queue = open[random.nextBelow(open.length)]!;
      const event = this.take(queue, 1 + random.nextBelow(3), (length) => random.nextBelow(length));
      const { batchItemFailures } = (await handlers[queue](event)) as SQSBatchResponse;
      const failed = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
      const again = event.Records.filter(
        ({ messageId }) => failed.has(messageId) || random.nextUniform() < 0.2,
      );
      this.waiting(queue).push(...again);
    }
    throw new Error('the queues never empty');
  }
}
