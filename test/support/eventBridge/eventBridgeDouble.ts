import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { PublishedEvent } from '../../../lib/publish/announce.ts';

/** An entry of PutEvents. */
export interface SentEntry {
  readonly EventBusName: string;
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
}

/** What a request is answered with instead of being taken. */
export type Refusal =
  | { readonly kind: 'entry'; readonly ErrorCode: string }
  | { readonly kind: 'request'; readonly status: number; readonly type: string };

/** As much of EventBridge as the announcer uses: entries that are taken, and refusals of both kinds. */
export class EventBridgeDouble {
  /** What was taken. */
  readonly entries: SentEntry[] = [];
  /** For the next requests, one each. */
  readonly refusals: Refusal[] = [];
  requestCount = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { Entries } = JSON.parse(Buffer.concat(chunks).toString()) as { Entries: SentEntry[] };
      this.requestCount++;
      const refusal = this.refusals.shift();
      const type = { 'content-type': 'application/x-amz-json-1.1' };
      if (refusal?.kind === 'request') {
        response.writeHead(refusal.status, type);
        response.end(JSON.stringify({ __type: refusal.type, message: 'refused' }));
        return;
      }
      const answers = Entries.map(() =>
        refusal === undefined
          ? { EventId: `event-${this.requestCount}` }
          : { ErrorCode: refusal.ErrorCode, ErrorMessage: 'refused' },
      );
      if (refusal === undefined) this.entries.push(...Entries);
      response.writeHead(200, type);
      response.end(
        JSON.stringify({ FailedEntryCount: refusal === undefined ? 0 : Entries.length, Entries: answers }),
      );
    });
  }

  static async start(): Promise<EventBridgeDouble> {
    const double = new EventBridgeDouble();
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What readers get. */
  get events(): PublishedEvent[] {
    return this.entries.map(({ Detail }) => JSON.parse(Detail) as PublishedEvent);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A bus for the tests of a file, empty before each; the SDK is pointed at it. */
export function testEventBus(): { readonly double: EventBridgeDouble } {
  const before = { ...process.env };
  let double: EventBridgeDouble;
  beforeAll(async () => {
    double = await EventBridgeDouble.start();
    process.env.AWS_ENDPOINT_URL_EVENTBRIDGE = double.endpoint;
    process.env.AWS_REGION ??= 'us-east-1';
    process.env.AWS_ACCESS_KEY_ID ??= 'test';
    process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
  });
  beforeEach(() => {
    double.entries.length = 0;
    double.refusals.length = 0;
    double.requestCount = 0;
  });
  afterAll(async () => {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    await double.stop();
  });
  return {
    get double() {
      return double;
    },
  };
}
