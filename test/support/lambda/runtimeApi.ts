import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a function's error looks like on its way out of the runtime. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace?: readonly string[];
}

/** What the runtime tells Lambda. */
export type RuntimeReport =
  /** It waits for an invocation. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'initError'; readonly error: FunctionError }
  | { readonly kind: 'response'; readonly requestId: string; readonly payload: unknown }
  | { readonly kind: 'error'; readonly requestId: string; readonly error: FunctionError };

export interface HandedInvocation {
  readonly requestId: string;
  readonly functionArn: string;
  /** Milliseconds since the epoch. */
  readonly deadlineMillis: number;
  readonly event: unknown;
}

const BASE = '/2018-06-01/runtime';

/** Lambda's Runtime API for one execution environment (Lambda developer guide, "Using the Lambda runtime API"). */
export class RuntimeApi {
  readonly #server: Server;
  readonly #onReport: (report: RuntimeReport) => void;
  /** The runtime's request for its next invocation, which stays open until there is one. */
  #poll: ServerResponse | undefined;

  private constructor(onReport: (report: RuntimeReport) => void) {
    this.#onReport = onReport;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(onReport: (report: RuntimeReport) => void): Promise<RuntimeApi> {
    const api = new RuntimeApi(onReport);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  /** As AWS_LAMBDA_RUNTIME_API holds it. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers the runtime's open poll. @throws Error when none is open */
  hand({ requestId, functionArn, deadlineMillis, event }: HandedInvocation): void {
    const poll = this.#poll;
    if (poll === undefined) throw new Error('the runtime is not waiting for an invocation');
    this.#poll = undefined;
    const body = Buffer.from(JSON.stringify(event));
    poll.writeHead(200, {
      'content-type': 'application/json',
      'content-length': body.length,
      'lambda-runtime-aws-request-id': requestId,
      'lambda-runtime-deadline-ms': String(deadlineMillis),
      'lambda-runtime-invoked-function-arn': functionArn,
      'lambda-runtime-trace-id': `Root=1-5bef4de7-${requestId.replaceAll('-', '').slice(0, 24)};Parent=53995c3f42cd8ad8;Sampled=1`,
    });
    poll.end(body);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!;
    if (request.method === 'GET' && path === `${BASE}/invocation/next`) {
      this.#poll = response;
      response.on('close', () => {
        if (this.#poll === response) this.#poll = undefined;
      });
      this.#onReport({ kind: 'ready' });
      return;
    }
    const body = await readJson(request);
    const [, requestId, kind] = /\/invocation\/([^/]+)\/(response|error)$/.exec(path) ?? [];
    response.writeHead(202, { 'content-type': 'application/json' });
    response.end('{"status":"OK"}');
    if (path === `${BASE}/init/error`) this.#onReport({ kind: 'initError', error: body as FunctionError });
    else if (kind === 'response') this.#onReport({ kind, requestId: requestId!, payload: body });
    else if (kind === 'error') this.#onReport({ kind, requestId: requestId!, error: body as FunctionError });
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return JSON.parse(Buffer.concat(chunks).toString());
}
