import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvocationError } from '../support/lambda/lambdaFunction.ts';
import { type AwsRequest, isAllowed, neededRights, type Right, type Statement } from './rolePolicy.ts';

/** A right that somebody used, or lacked. */
export interface Used extends Right {
  readonly caller: string;
  readonly isGranted: boolean;
}

export interface Account {
  /** Statements of each caller's role. A caller is told by its access key. */
  readonly roles: Map<string, readonly Statement[]>;
  /** By the queues' names. */
  readonly queueArns: ReadonlyMap<string, string>;
  /** By a function's ARN. */
  readonly invoke: (functionArn: string, event: unknown) => Promise<unknown>;
}

/**
 * The one way from the functions, their queues' pollers and the state machine to moto: a request that the caller's role
 * doesn't allow is refused as AWS refuses it, and an invocation of a function is answered by the packaged function.
 */
export class FrontDoor {
  /** In order, of all callers. */
  readonly used: Used[] = [];
  readonly #misunderstood: string[] = [];
  #account: Account | undefined;
  #motoPort = 0;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<FrontDoor> {
    const door = new FrontDoor();
    await new Promise<void>((resolve) => door.#server.listen(0, '127.0.0.1', resolve));
    return door;
  }

  /** Lets requests in. */
  open(account: Account, motoPort: number): void {
    this.#account = account;
    this.#motoPort = motoPort;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Rights that were lacking, and requests that aren't understood here. */
  get complaints(): string[] {
    const refused = this.used.filter(({ isGranted }) => !isGranted);
    const lacking = refused.map(({ caller, action, resource }) => `${caller} lacks ${action} on ${resource}`);
    return [...lacking, ...this.#misunderstood];
  }

  /** Forgets what was used and what there was to complain of. */
  forget(): void {
    this.used.length = 0;
    this.#misunderstood.length = 0;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const [, caller = 'nobody', service = ''] =
      /Credential=([^/]+)\/\d+\/[^/]+\/([^/]+)\//.exec(String(incoming.headers.authorization)) ?? [];
    const request: AwsRequest = {
      service,
      method: incoming.method!,
      url: new URL(incoming.url!, this.endpoint),
      headers: incoming.headers,
      body: Buffer.concat(chunks),
    };
    try {
      const rights = neededRights(request, this.#account!.queueArns);
      // Every right is asked for, so that each one that lacks is told.
      const granted = rights.map((right) => this.#has(caller, right));
      if (granted.includes(false)) return refuse(response, service);
      if (service === 'lambda') await this.#invoke(rights[0]!.resource, request, response);
      else this.#pass(caller, request, response);
    } catch (error) {
      this.#misunderstood.push(`${caller} was not understood: ${error}`);
      response.writeHead(501).end();
    }
  }

  #has(caller: string, right: Right): boolean {
    const isGranted = isAllowed(this.#account!.roles.get(caller) ?? [], right);
    this.used.push({ caller, ...right, isGranted });
    return isGranted;
  }

  /** Lambda's Invoke: an error of the function is an answer with a header. */
  async #invoke(functionArn: string, { body }: AwsRequest, response: ServerResponse): Promise<void> {
    try {
      const payload = await this.#account!.invoke(functionArn, JSON.parse(body.toString()));
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(payload));
    } catch (error) {
      if (!(error instanceof InvocationError)) throw error;
      const { errorType, message } = error;
      response
        .writeHead(200, { 'content-type': 'application/json', 'x-amz-function-error': 'Unhandled' })
        .end(JSON.stringify({ errorType, errorMessage: message }));
    }
  }

  #pass(caller: string, { service, method, url, headers, body }: AwsRequest, response: ServerResponse): void {
    const to = { host: '127.0.0.1', port: this.#motoPort, path: url.pathname + url.search, method, headers };
    const forwarded = httpRequest(to, (answer) => {
      if (service === 's3' && answer.statusCode === 404 && !this.#mayKnow(caller, url)) {
        answer.resume();
        return refuse(response, service);
      }
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    forwarded.on('error', () => response.destroy());
    forwarded.end(body);
  }

  /** That an object is missing, S3 tells only to those who may list its bucket. */
  #mayKnow(caller: string, url: URL): boolean {
    const bucket = url.pathname.split('/')[1]!;
    return this.#has(caller, { action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}` });
  }
}

function refuse(response: ServerResponse, service: string): void {
  const message = 'the role does not allow it';
  if (service === 's3') {
    const xml = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`;
    response.writeHead(403, { 'content-type': 'application/xml' }).end(xml);
    return;
  }
  response
    .writeHead(403, { 'content-type': 'application/json', 'x-amzn-errortype': 'AccessDeniedException' })
    .end(JSON.stringify({ __type: 'AccessDeniedException', message }));
}
