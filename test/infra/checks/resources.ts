import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';

/** What is wrong with a template (resolved, `resolveTemplate`), in a line each. */
export type Check = (resources: Resources) => string[];

/** A path into the packaged template, and what is there instead; undefined: nothing. `+` at its end appends. */
export type Mutation = readonly [path: string, value: unknown];

/** A mutation, and what the check that it is for must say of it, among other things. */
export type SpoiltProperty = readonly [...Mutation, found: string];

export interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Principal?: string | Readonly<Record<string, string | readonly string[]>>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Names and properties of the resources of a type. */
export function ofType<Read>(resources: Resources, type: string): (readonly [name: string, Partial<Read>])[] {
  return Object.entries(resources)
    .filter(([, { Type }]) => Type === type)
    .map(([name, { Properties = {} }]) => [name, Properties as Partial<Read>]);
}

/** One or many, as IAM and CloudFormation write lists. */
export function listed<T>(value: T | readonly T[] | undefined): readonly T[] {
  return value === undefined ? [] : ([value].flat() as T[]);
}

export function statementsOf(document: unknown): readonly Statement[] {
  return listed((document as { Statement?: Statement | Statement[] } | undefined)?.Statement);
}

/** The resource of a type whose ARN it is. Resolved ARNs end with the resource's name. */
export interface LambdaFunction {
  readonly FunctionName: string;
  readonly Role: string;
  readonly Timeout: number;
  readonly TracingConfig: { readonly Mode: string };
  readonly Environment: { readonly Variables: Readonly<Record<string, string>> };
  readonly ReservedConcurrentExecutions: number;
}

export interface EventSource {
  readonly EventSourceArn: string;
  readonly FunctionName: string;
  readonly MaximumBatchingWindowInSeconds: number;
  readonly FunctionResponseTypes: readonly string[];
  readonly ScalingConfig: { readonly MaximumConcurrency: number };
}

export interface EventRule {
  readonly Name: string;
  readonly Targets: readonly { readonly Arn: string }[];
}

/** The last part of an ARN: the name of the queue, function, machine or bucket. */
export function nameIn(arn: string): string {
  return arn.split(/[:/]/).at(-1)!;
}

/** What stands at a path of a resource's properties; undefined for nothing. */
export function propertyOf(resources: Resources, name: string, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string, unknown> | undefined)?.[key],
    resources[name]!.Properties,
  );
}
