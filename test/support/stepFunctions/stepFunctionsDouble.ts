import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type Definition,
  type MapCounts,
  type RunFailed,
  redriven,
  runStateMachine,
  type Services,
} from './runStateMachine.ts';

/** An execution as it stands. Dates are seconds since 1970, as in the protocol. */
export interface DoubleExecution {
  readonly executionArn: string;
  readonly stateMachineArn: string;
  readonly name: string;
  readonly input: string;
  readonly startDate: number;
  status: 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'ABORTED';
  stopDate?: number;
  error?: string;
  cause?: string;
  redriveCount: number;
  redriveDate?: number;
  /** Will it be described once more as it was before its start or redrive, as an eventually consistent service may do? */
  isStale: boolean;
  readonly mapRuns: Map<string, MapCounts>;
  failure?: RunFailed;
}

/** What the service answers instead of a result. */
class Refusal extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
  }
}

type Request = Readonly<Record<string, string>>;

const REDRIVABLE_SECONDS = 14 * 86_400;

/**
 * As much of Step Functions over HTTP as the commands use, in the SDK's JSON protocol. Executions really run, in this
 * process: the definition by `runStateMachine`, from the failed state on when they are redriven.
 */
export class StepFunctionsDouble {
  readonly stateMachineArn = 'arn:aws:states:eu-central-1:123456789012:stateMachine:scoring';
  readonly executions = new Map<string, DoubleExecution>();
  /** Names of the calls that came in. */
  readonly calls: string[] = [];
  /** The bodies of these calls. */
  readonly bodies: Buffer[] = [];
  /** A call's name that the caller has no right to. */
  forbidden: string | undefined;
  /** Is told of each execution that has ended. */
  onEnded: ((execution: DoubleExecution) => void) | undefined;
  readonly #server: Server;
  readonly #definition: Definition;
  readonly #services: Services;
  readonly #running = new Set<Promise<void>>();

  private constructor(definition: Definition, services: Services) {
    this.#definition = definition;
    this.#services = services;
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const call = String(request.headers['x-amz-target']).replace('AWSStepFunctions.', '');
      const body = Buffer.concat(chunks);
      this.calls.push(call);
      this.bodies.push(body);
      try {
        answer(response, 200, this.#answer(call, JSON.parse(body.toString()) as Request));
      } catch (error) {
        const { name, message } = error as Error;
        answer(response, error instanceof Refusal ? 400 : 500, { __type: name, message });
      }
    });
  }

  static async start(definition: Definition, services: Services): Promise<StepFunctionsDouble> {
    const double = new StepFunctionsDouble(definition, services);
    await new Promise<void>((resolve) => double.#server.listen(0, '127.0.0.1', resolve));
    return double;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Waits for executions that run, too. */
  async stop(): Promise<void> {
    await this.settled();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #answer(call: string, request: Request): object {
    if (call === this.forbidden) throw new Refusal('AccessDeniedException', `not authorized: states:${call}`);
    switch (call) {
      case 'StartExecution':
        return this.#start(request);
      case 'DescribeExecution':
        return this.#describe(this.#execution(request.executionArn!));
      case 'ListExecutions':
        return this.#list(request);
      case 'RedriveExecution':
        return this.#redrive(this.#execution(request.executionArn!));
      case 'ListMapRuns': {
        const { executionArn, mapRuns } = this.#execution(request.executionArn!);
        return {
          mapRuns: [...mapRuns.keys()].map((label, index) => ({
            executionArn,
            mapRunArn: mapRunArn(executionArn, label),
            startDate: index,
          })),
        };
      }
      case 'DescribeMapRun': {
        for (const { executionArn, mapRuns } of this.executions.values()) {
          for (const [label, itemCounts] of mapRuns) {
            if (mapRunArn(executionArn, label) === request.mapRunArn) return { itemCounts };
          }
        }
        throw new Refusal('ResourceNotFound', 'no such map run');
      }
      default:
        throw new Refusal('UnknownOperationException', call);
    }
  }

  #start({ stateMachineArn, name, input }: Request): object {
    this.#requireMachine(stateMachineArn);
    const executionArn = `${this.stateMachineArn.replace(':stateMachine:', ':execution:')}:${name}`;
    const former = this.executions.get(executionArn);
    if (former !== undefined) {
      if (former.status !== 'RUNNING' || former.input !== input) {
        throw new Refusal('ExecutionAlreadyExists', `Execution Already Exists: '${executionArn}'`);
      }
      return { executionArn, startDate: former.startDate };
    }
    const execution: DoubleExecution = {
      ...{ executionArn, stateMachineArn: this.stateMachineArn, name: name!, input: input! },
      ...{ startDate: now(), status: 'RUNNING', redriveCount: 0, isStale: true, mapRuns: new Map() },
    };
    this.executions.set(executionArn, execution);
    this.#run(execution, this.#definition, JSON.parse(execution.input));
    return { executionArn, startDate: execution.startDate };
  }

  #redrive(execution: DoubleExecution): object {
    const { failure } = execution;
    if (redriveStatus(execution).redriveStatus !== 'REDRIVABLE' || failure === undefined) {
      throw new Refusal('ExecutionNotRedrivable', 'the execution cannot be redriven');
    }
    execution.status = 'RUNNING';
    execution.isStale = true;
    execution.redriveCount++;
    execution.redriveDate = now();
    this.#run(execution, redriven(this.#definition, failure), failure.input);
    return { redriveDate: execution.redriveDate };
  }

  #run(execution: DoubleExecution, definition: Definition, input: unknown): void {
    const { name, stateMachineArn, mapRuns } = execution;
    const services = {
      ...this.#services,
      onMap: (label: string, counts: MapCounts) => mapRuns.set(label, counts),
    };
    const ended = runStateMachine(definition, input, services, { name, stateMachineArn }).then(
      () => {
        execution.status = 'SUCCEEDED';
      },
      (failure: RunFailed) => {
        const { name, cause, state } = failure;
        const { message } = cause as Error;
        execution.status = 'FAILED';
        execution.failure = failure;
        execution.error = name;
        const isFunctions = !name.startsWith('States.') && this.#definition.States[state]!.Type !== 'Fail';
        // A function's error is told as its runtime reports it.
        execution.cause = !isFunctions
          ? message
          : JSON.stringify({ errorType: name, errorMessage: message, trace: [] });
      },
    );
    const tracked = ended.then(() => {
      execution.stopDate = now();
      this.onEnded?.(execution);
      this.#running.delete(tracked);
    });
    this.#running.add(tracked);
  }

  #describe(execution: DoubleExecution): object {
    const { failure, mapRuns, isStale, ...described } = execution;
    if (!isStale) return { ...described, ...redriveStatus(execution) };
    execution.isStale = false;
    if (execution.redriveDate === undefined) {
      throw new Refusal('ExecutionDoesNotExist', `Execution Does Not Exist: '${execution.executionArn}'`);
    }
    return {
      ...described,
      status: 'FAILED',
      redriveCount: execution.redriveCount - 1,
      redriveStatus: 'REDRIVABLE',
    };
  }

  #list({ stateMachineArn, statusFilter, maxResults }: Request): object {
    this.#requireMachine(stateMachineArn);
    const executions = [...this.executions.values()]
      .filter(({ status }) => statusFilter === undefined || status === statusFilter)
      .sort((a, b) => b.startDate - a.startDate)
      .slice(0, Number(maxResults ?? 100))
      .map(({ executionArn, name, status, startDate, stopDate, redriveCount }) => ({
        ...{ executionArn, stateMachineArn, name, status, startDate, stopDate, redriveCount },
      }));
    return { executions };
  }

  #requireMachine(arn: string | undefined): void {
    if (arn === this.stateMachineArn) return;
    throw new Refusal('StateMachineDoesNotExist', `State Machine Does Not Exist: '${arn}'`);
  }

  #execution(arn: string): DoubleExecution {
    const found = this.executions.get(arn);
    if (found !== undefined) return found;
    throw new Refusal('ExecutionDoesNotExist', `Execution Does Not Exist: '${arn}'`);
  }
}

function redriveStatus({ status, stopDate }: DoubleExecution): {
  redriveStatus: string;
  redriveStatusReason?: string;
} {
  const reason =
    status === 'RUNNING' || status === 'SUCCEEDED'
      ? `Execution is ${status} and cannot be redriven`
      : now() - stopDate! > REDRIVABLE_SECONDS
        ? 'Execution redrivable period exceeded'
        : undefined;
  if (reason === undefined) return { redriveStatus: 'REDRIVABLE' };
  return { redriveStatus: 'NOT_REDRIVABLE', redriveStatusReason: reason };
}

function mapRunArn(executionArn: string, label: string): string {
  return executionArn.replace(':execution:', ':mapRun:').replace(/:([^:]+)$/, `/${label}:$1`);
}

function now(): number {
  return Date.now() / 1000;
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
  response.end(JSON.stringify(body));
}
