import type { Resources } from '../../support/cloudFormation/packagedTemplate.ts';
import { type EventSource, type LambdaFunction, nameIn, ofType } from './resources.ts';

interface LogGroup {
  readonly LogGroupName: string;
  readonly RetentionInDays: number;
}

/** Logs end, traces are written, one message's failure is not its batch's, and no caller takes another one's concurrency. */
export function functions(resources: Resources): string[] {
  const groups = new Map(
    ofType<LogGroup>(resources, 'AWS::Logs::LogGroup').map(([, group]) => [group.LogGroupName, group]),
  );
  const all = ofType<LambdaFunction>(resources, 'AWS::Lambda::Function');
  const sources = ofType<EventSource>(resources, 'AWS::Lambda::EventSourceMapping');
  const mapConcurrency = Math.max(
    0,
    ...all.map(([, { Environment }]) => Number(Environment?.Variables.MAP_CONCURRENCY ?? 0)),
  );
  return [
    ...all.flatMap(
      ([name, { FunctionName = name, TracingConfig, ReservedConcurrentExecutions: reserved }]) => {
        const group = groups.get(`/aws/lambda/${FunctionName}`);
        const [source] = sources.filter(([, source]) => nameIn(source.FunctionName ?? '') === FunctionName);
        const wanted = mapConcurrency + (source?.[1].ScalingConfig?.MaximumConcurrency ?? 0);
        return [
          ...(group === undefined ? [`${name}: has no log group`] : []),
          ...(group !== undefined && !(group.RetentionInDays! > 0)
            ? [`${name}: keeps its logs for ever`]
            : []),
          ...(TracingConfig?.Mode === 'Active' ? [] : [`${name}: writes no traces`]),
          ...(reserved !== undefined && reserved < wanted
            ? [`${name}: ${reserved} at a time are reserved, ${wanted} wanted`]
            : []),
        ];
      },
    ),
    ...sources.flatMap(([name, { FunctionResponseTypes = [] }]) =>
      FunctionResponseTypes.includes('ReportBatchItemFailures')
        ? []
        : [`${name}: one failure fails its batch`],
    ),
  ];
}

interface Bucket {
  readonly BucketName: string;
  readonly LifecycleConfiguration: {
    readonly Rules: readonly { readonly Status: string; readonly AbortIncompleteMultipartUpload?: object }[];
  };
}

/** The packager's own bucket: its zips can be made again. */
const OF_THE_PACKAGER = 'ServerlessDeploymentBucket';

/**
 * Data outlives the stack, a first deployment that fails leaves nothing, and what an upload that died has left doesn't stay.
 */
export function retention(resources: Resources): string[] {
  return ofType<Bucket>(resources, 'AWS::S3::Bucket')
    .filter(([name]) => name !== OF_THE_PACKAGER)
    .flatMap(([name, { BucketName, LifecycleConfiguration }]) => {
      const { DeletionPolicy, UpdateReplacePolicy } = resources[name]!;
      const ends = LifecycleConfiguration?.Rules.some(
        ({ Status, AbortIncompleteMultipartUpload }) =>
          Status === 'Enabled' && AbortIncompleteMultipartUpload,
      );
      return [
        ...(/^Retain/.test(String(DeletionPolicy)) ? [] : [`${name}: goes with its stack`]),
        ...(DeletionPolicy === 'Retain' ? [`${name}: stays when its first deployment fails`] : []),
        ...(BucketName === undefined ? [] : [`${name}: stands in the way of the next stack by its name`]),
        ...(UpdateReplacePolicy === 'Retain' ? [] : [`${name}: goes when it is replaced`]),
        ...(ends ? [] : [`${name}: keeps what uploads that died have left`]),
      ];
    });
}
