import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach } from 'vitest';

/** What Lambda answers to an invocation. */
interface LambdaAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An invocation as Lambda gets it. */
interface SentInvocation {
  /** Name or ARN. */
  readonly function: string;
  /** That the request is signed for. */
  readonly region: string;
  readonly payload: unknown;
}

/** As much of Lambda as an invocation that is waited for uses. The SDK of this process is pointed at it. */
class LambdaDouble {
  readonly invocations: SentInvocation[] = [];
  /** For the next invocations, one each, before `answer` counts; undefined is none, ever. */
  readonly next: (LambdaAnswer | undefined)[] = [];
  answer: LambdaAnswer = { body: '{"passes":true}' };
  readonly #server: Server;

  constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const [, name = ''] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(request.url!) ?? [];
      const [, region = ''] =
        /Credential=[^/]+\/\d+\/([^/]+)\/lambda\//.exec(request.headers.authorization!) ?? [];
      const payload = JSON.parse(Buffer.concat(chunks).toString());
      this.invocations.push({ function: decodeURIComponent(name), region, payload });
      const given = this.next.length > 0 ? this.next.shift() : this.answer;
      if (given === undefined) return;
      response.writeHead(given.status ?? 200, { 'content-type': 'application/json', ...given.headers });
      response.end(given.body);
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  begin(): void {
    this.invocations.length = 0;
    this.next.length = 0;
    this.answer = { body: '{"passes":true}' };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** For the tests of a file: Lambda, of which a function answers that everything passes until a test says otherwise. */
export function testLambda(): LambdaDouble {
  const double = new LambdaDouble();
  const before = { ...process.env };
  beforeAll(async () => {
    process.env.AWS_ENDPOINT_URL_LAMBDA = await double.start();
    process.env.AWS_REGION ??= 'us-east-1';
    process.env.AWS_ACCESS_KEY_ID ??= 'test';
    process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
  });
  beforeEach(() => double.begin());
  afterAll(async () => {
    process.env = before;
    await double.stop();
  });
  return double;
}
