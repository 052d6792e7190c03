import { randomUUID } from 'node:crypto';
import { StateMachine } from 'aws-local-stepfunctions';

// aws-local-stepfunctions 3 is written for Node 22, which has this; the project runs on 20 too.
(Promise as { withResolvers?: () => object }).withResolvers ??= () => {
  let resolve: unknown;
  let reject: unknown;
  const promise = new Promise((...settle) => {
    [resolve, reject] = settle;
  });
  return { promise, resolve, reject };
};

/** A state machine's definition in Amazon States Language. */
export interface Definition {
  readonly StartAt: string;
  readonly States: Readonly<Record<string, State>>;
}
type State = Readonly<Record<string, unknown>> & { readonly Type: string };

interface DistributedMap extends State {
  readonly Label: string;
  readonly ItemReader: { readonly Parameters: Readonly<Record<'Bucket.$' | 'Key.$', string>> };
  readonly ResultWriter: {
    readonly Parameters: Readonly<Record<'Bucket.$' | 'Prefix.$', string>>;
  };
  readonly MaxConcurrency?: number;
  readonly MaxConcurrencyPath?: string;
  readonly ToleratedFailurePercentage?: number;
  readonly ItemProcessor: Definition & { readonly ProcessorConfig: { readonly Mode: string } };
}

export interface Services {
  /** Lambda functions, by the last word of the name that they are deployed under (`ncs4cvr-prod-plan`: `plan`). */
  readonly functions: Readonly<Record<string, (payload: unknown) => Promise<unknown>>>;
  /** What an ItemReader gets. */
  readonly readJson: (bucket: string, key: string) => Promise<unknown[]>;
  /** What a ResultWriter puts. */
  readonly writeJson: (bucket: string, key: string, document: object) => Promise<void>;
  /** What a Wait state waits for; nothing by default. */
  readonly wait?: (seconds: number) => Promise<void>;
  /** Is told of each map that the run itself begins, by its label; the counts go on with it. */
  readonly onMap?: (label: string, counts: MapCounts) => void;
}

/** How far a map is. */
export interface MapCounts {
  readonly total: number;
  succeeded: number;
  failed: number;
}

/** What a run's context object has of its execution. */
interface ExecutionContext {
  readonly name: string;
  readonly stateMachineArn: string;
}
const LOCAL: ExecutionContext = {
  name: 'local-run',
  stateMachineArn: 'arn:aws:states:eu-central-1:123456789012:stateMachine:local',
};

/** A state's input or result; more fails the run. */
const MOST_PAYLOAD_BYTES = 256 * 1024;

/** As JSON. */
const validDefinitions = new Set<string>();

/** What DescribeMapRun tells of the map runs of this process, as the SDK integration writes it. */
const mapRunCounts = new Map<string, Readonly<Record<string, number>>>();

/** A run that failed, and where: a redrive starts there with the same input. */
export class RunFailed extends Error {
  readonly state: string;
  readonly input: unknown;

  constructor(state: string, input: unknown, cause: Error) {
    super(`${state}: ${cause.message}`, { cause });
    this.name = cause.name;
    this.state = state;
    this.input = input;
  }
}

/**
 * Runs a definition on aws-local-stepfunctions, which ignores what is special in a Distributed Map: those states become tasks
 * that read the items, run a machine of their own for each, and apply the tolerance, as Step Functions does. Their runs can be
 * described.
 */
export async function runStateMachine(
  definition: Definition,
  input: unknown,
  services: Services,
  { name, stateMachineArn } = LOCAL,
): Promise<unknown> {
  const handlers: Record<string, (input: never) => Promise<unknown>> = {};
  const retries: Record<string, number> = {};
  const States = Object.fromEntries(
    Object.entries(definition.States).map(([name, state]) => {
      if (state.Retry !== undefined) retries[name] = 0;
      if (state.Resource === 'arn:aws:states:::lambda:invoke') {
        handlers[name] = async ({ FunctionName, Payload }: Invocation) => ({
          Payload: await services.functions[functionIn(FunctionName)]!(Payload),
        });
      }
      if (state.Resource === 'arn:aws:states:::aws-sdk:sfn:describeMapRun') handlers[name] = describeMapRun;
      if (state.Type === 'Wait') {
        const { SecondsPath, ...rest } = state;
        handlers[name] = async (waiting: unknown) => {
          await services.wait?.(Number(at(waiting, String(SecondsPath))));
          return null;
        };
        return [
          name,
          { ...rest, Type: 'Task', Resource: 'arn:aws:states:::aws-sdk:local:wait', ResultPath: null },
        ];
      }
      if (!isDistributed(state)) return [name, state];
      handlers[name] = (mapInput: unknown) => runMap(state, mapInput, services);
      const {
        ItemReader,
        ResultWriter,
        ItemProcessor,
        MaxConcurrency,
        MaxConcurrencyPath,
        ToleratedFailurePercentage,
        Label,
        ...rest
      } = state;
      return [name, { ...rest, Type: 'Task', Resource: 'arn:aws:states:::aws-sdk:local:distributedMap' }];
    }),
  );
  for (const [name, handler] of Object.entries(handlers)) {
    handlers[name] = async (payload) => throughJson(await handler(payload));
  }
  const machine = newMachine({ ...definition, States });
  const overrides = { taskResourceLocalHandlers: handlers, retryIntervalOverrides: retries };
  const context = {
    Execution: { Name: name, Input: input, StartTime: new Date().toISOString() },
    StateMachine: { Id: stateMachineArn },
  };
  const { result, eventLogs } = machine.run(input as never, {
    overrides: overrides as never,
    context: context as never,
  });
  try {
    return await result;
  } catch (error) {
    const { cause = error } = error as Error;
    let failed: { name: string; input: unknown } = { name: definition.StartAt, input };
    for await (const event of eventLogs) if (event.type === 'StateEntered') failed = event.state;
    throw new RunFailed(failed.name, failed.input, cause as Error);
  }
}

/** A map runs the same definition for each of its items; to validate it compiles a dozen schemas, which takes longer than most runs. */
function newMachine(definition: Definition): StateMachine {
  const text = JSON.stringify(definition);
  const machine = new StateMachine(definition as never, {
    validationOptions: { checkArn: false, checkPaths: false, noValidate: validDefinitions.has(text) },
  });
  validDefinitions.add(text);
  return machine;
}

interface Invocation {
  readonly FunctionName: string;
  readonly Payload: unknown;
}

/** Which of `Services.functions` an ARN names. */
function functionIn(functionArn: string): string {
  return /:function:(?:.*-)?(\w+)$/.exec(functionArn)![1]!;
}

/** A state's result as the next state gets it. */
function throughJson(result: unknown): unknown {
  const text = JSON.stringify(result);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes <= MOST_PAYLOAD_BYTES) return JSON.parse(text);
  throw Object.assign(new Error(`a result of ${sizeBytes} bytes`), { name: 'States.DataLimitExceeded' });
}

async function describeMapRun({ MapRunArn }: { MapRunArn: string }): Promise<object> {
  const ItemCounts = mapRunCounts.get(MapRunArn);
  if (ItemCounts !== undefined) return { MapRunArn, Status: 'SUCCEEDED', ItemCounts };
  throw Object.assign(new Error(`Resource not found: '${MapRunArn}'`), {
    name: 'Sfn.ResourceNotFoundException',
  });
}

/** The definition as a redrive runs it: from the state that failed. */
export function redriven({ States }: Definition, { state }: RunFailed): Definition {
  const reached = new Set([state]);
  for (const name of reached) {
    const {
      Next,
      Default,
      Choices = [],
    } = States[name] as unknown as {
      Next?: string;
      Default?: string;
      Choices?: { Next: string }[];
    };
    for (const next of [Next, Default, ...Choices.map((choice) => choice.Next)]) {
      if (next !== undefined) reached.add(next);
    }
  }
  const left = Object.entries(States).filter(([name]) => reached.has(name));
  return { StartAt: state, States: Object.fromEntries(left) };
}

function isDistributed(state: State): state is DistributedMap {
  return (
    state.Type === 'Map' && (state as DistributedMap).ItemProcessor.ProcessorConfig.Mode === 'DISTRIBUTED'
  );
}

async function runMap(state: DistributedMap, input: unknown, services: Services): Promise<unknown> {
  const { 'Bucket.$': bucketPath, 'Key.$': keyPath } = state.ItemReader.Parameters;
  const items = await services.readJson(String(at(input, bucketPath)), String(at(input, keyPath)));
  const tolerated = (items.length * (state.ToleratedFailurePercentage ?? 0)) / 100;
  const queue = items.values();
  const succeeded: object[] = [];
  const failed: object[] = [];
  let first: unknown;
  // The processor's configuration is no part of a machine.
  const { StartAt, States } = state.ItemProcessor;
  const counts: MapCounts = { total: items.length, succeeded: 0, failed: 0 };
  const { onMap, ...ofChildren } = services;
  onMap?.(state.Label, counts);
  const lane = async () => {
    for (const item of queue) {
      const Input = JSON.stringify(item);
      const Name = randomUUID();
      const StartDate = new Date().toISOString();
      try {
        const output = await runStateMachine({ StartAt, States }, item, ofChildren);
        counts.succeeded++;
        const Output = JSON.stringify(output);
        const StopDate = new Date().toISOString();
        succeeded.push({ Name, Status: 'SUCCEEDED', StartDate, StopDate, Input, Output });
      } catch (error) {
        counts.failed++;
        failed.push({
          Name,
          Status: 'FAILED',
          StartDate,
          StopDate: new Date().toISOString(),
          Input,
          Error: (error as Error).name,
          Cause: (error as Error).message,
        });
        first ??= error;
      }
      if (failed.length > tolerated) return;
    }
  };
  const { MaxConcurrency, MaxConcurrencyPath } = state;
  const lanes = MaxConcurrencyPath === undefined ? MaxConcurrency! : Number(at(input, MaxConcurrencyPath));
  await Promise.all(Array.from({ length: Math.min(lanes, items.length) }, lane));
  const written = await writeResults(state, input, { SUCCEEDED: succeeded, FAILED: failed }, services);
  if (failed.length <= tolerated) {
    const ended = { Succeeded: succeeded.length, Failed: failed.length, TimedOut: 0, Aborted: 0 };
    mapRunCounts.set(written.MapRunArn, { ...ended, Total: items.length });
    return written;
  }
  const text = `${failed.length} of ${items.length} items failed, the first with ${String(first)}`;
  throw Object.assign(new Error(text, { cause: first }), { name: 'States.ExceedToleratedFailureThreshold' });
}

/** As a ResultWriter does, whether the map succeeds or not. @returns the map's output */
async function writeResults(
  { Label, ResultWriter }: DistributedMap,
  input: unknown,
  results: Readonly<Record<string, readonly object[]>>,
  services: Services,
): Promise<{ readonly MapRunArn: string; readonly ResultWriterDetails: object }> {
  const { 'Bucket.$': bucketPath, 'Prefix.$': prefixPath } = ResultWriter.Parameters;
  const Bucket = String(at(input, bucketPath));
  const Prefix = String(at(input, prefixPath));
  const run = randomUUID();
  const ResultFiles: Record<string, { Key: string }[]> = {};
  for (const [status, entries] of Object.entries(results)) {
    const Key = `${Prefix}/${run}/${status}_0.json`;
    ResultFiles[status] = entries.length === 0 ? [] : [{ Key }];
    if (entries.length > 0) await services.writeJson(Bucket, Key, entries);
  }
  const Key = `${Prefix}/${run}/manifest.json`;
  await services.writeJson(Bucket, Key, { DestinationBucket: Bucket, ResultFiles });
  return {
    MapRunArn: `arn:aws:states:local:0:mapRun:scoring/${Label}:${run}`,
    ResultWriterDetails: { Bucket, Key },
  };
}

/** A reference path such as `$.units.bucket`. */
function at(input: unknown, path: string): unknown {
  return path
    .split('.')
    .slice(1)
    .reduce((value, key) => (value as Record<string, unknown>)[key], input);
}
