import { createHash, randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { SQSEvent, SQSRecord } from 'aws-lambda';

interface BatchRequest {
  readonly QueueUrl: string;
  readonly Entries: readonly { readonly Id: string; readonly MessageBody: string }[];
}

/** As much of SQS as the functions use: batches that are sent, and messages that are taken as Lambda's poller would. */
export class SqsDouble {
  readonly queues = new Map<string, SQSRecord[]>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { QueueUrl, Entries } = JSON.parse(Buffer.concat(chunks).toString()) as BatchRequest;
      const Successful = Entries.map(({ Id, MessageBody }) => ({
        Id,
        MessageId: this.put(QueueUrl, MessageBody),
        MD5OfMessageBody: md5(MessageBody),
      }));
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify({ Successful, Failed: [] }));
    });
  }

  static async start(): Promise<SqsDouble> {
    const double = new SqsDouble();
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  queueUrl(name: string): string {
    return `${this.endpoint}/000000000000/${name}`;
  }

  put(queueUrl: string, body: string): string {
    const messageId = randomUUID();
    const queue = this.queues.get(queueUrl) ?? [];
    this.queues.set(queueUrl, queue);
    queue.push({
      messageId,
      receiptHandle: randomUUID(),
      body,
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: String(Date.now()),
        SenderId: 'AIDAEXAMPLE',
        ApproximateFirstReceiveTimestamp: String(Date.now()),
      },
      messageAttributes: {},
      md5OfBody: md5(body),
      eventSource: 'aws:sqs',
      eventSourceARN: `arn:aws:sqs:eu-central-1:${queueUrl.split('/').slice(-2).join(':')}`,
      awsRegion: 'eu-central-1',
    });
    return messageId;
  }

  /** Takes up to `count` messages out of a queue; `pick` chooses the place of each. */
  take(queueUrl: string, count: number, pick: (length: number) => number = () => 0): SQSEvent {
    const queue = this.queues.get(queueUrl) ?? [];
    const Records: SQSRecord[] = [];
    while (Records.length < count && queue.length > 0) Records.push(...queue.splice(pick(queue.length), 1));
    return { Records };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
