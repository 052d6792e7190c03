import { DeleteMessageCommand, type Message, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { SQSBatchResponse } from 'aws-lambda';
import { LAMBDA_REGION } from '../support/lambda/lambdaVariables.ts';

/** What SQS gives in one call. */
const MESSAGES_A_CALL = 10;

export interface QueuePollerOptions {
  readonly endpoint: string;
  readonly queueUrl: string;
  readonly queueArn: string;
  readonly batchSize: number;
  /** Whose role it polls with. */
  readonly accessKeyId: string;
  readonly invoke: (event: object) => Promise<unknown>;
}

/** What Lambda does for an event source mapping, one batch at a time. */
export class QueuePoller {
  readonly #options: QueuePollerOptions;
  readonly #client: SQSClient;

  constructor(options: QueuePollerOptions) {
    this.#options = options;
    const { endpoint, accessKeyId } = options;
    const credentials = { accessKeyId, secretAccessKey: accessKeyId };
    this.#client = new SQSClient({ endpoint, region: LAMBDA_REGION, credentials });
  }

  /**
   * Invokes the function with what waits, as much as a batch holds. What it failed on stays hidden in the queue.
   * @returns bodies of the messages that it failed on; undefined when none was waiting
   */
  async deliver(): Promise<string[] | undefined> {
    const messages = await this.#receive();
    if (messages.length === 0) return undefined;
    const Records = messages.map(({ MessageId, ReceiptHandle, Body }) => ({
      messageId: MessageId,
      receiptHandle: ReceiptHandle,
      body: Body,
      attributes: {},
      eventSource: 'aws:sqs',
      eventSourceARN: this.#options.queueArn,
      awsRegion: LAMBDA_REGION,
    }));
    const { batchItemFailures } = (await this.#options.invoke({ Records })) as SQSBatchResponse;
    const ids = new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
    for (const { MessageId, ReceiptHandle } of messages) {
      if (ids.has(MessageId!)) continue;
      await this.#client.send(
        new DeleteMessageCommand({ QueueUrl: this.#options.queueUrl, ReceiptHandle: ReceiptHandle! }),
      );
    }
    return messages.filter(({ MessageId }) => ids.has(MessageId!)).map(({ Body }) => Body!);
  }

  async #receive(): Promise<Message[]> {
    const { queueUrl, batchSize } = this.#options;
    const messages: Message[] = [];
    while (messages.length < batchSize) {
      const MaxNumberOfMessages = Math.min(MESSAGES_A_CALL, batchSize - messages.length);
      const { Messages = [] } = await this.#client.send(
        new ReceiveMessageCommand({ QueueUrl: queueUrl, MaxNumberOfMessages }),
      );
      if (Messages.length === 0) break;
      messages.push(...Messages);
    }
    return messages;
  }
}
