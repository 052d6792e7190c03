import type { Definition } from '../support/stepFunctions/runStateMachine.ts';

interface MotoState extends Record<string, unknown> {
  ResultWriter?: { Parameters: Record<string, string> };
  ItemProcessor?: { States: States };
}
type States = Record<string, MotoState>;

/**
 * A state machine's definition as moto's interpreter takes it; everything else stays as it was packaged.
 * @throws Error when what is replaced isn't there as expected: then the replacement has to be looked at
 */
export function motoDefinition(definition: Definition, scoresBucket: string): string {
  const { States } = structuredClone(definition) as unknown as { States: States };
  writeOutBuckets(States, scoresBucket);
  const { Parameters, ResultSelector: selector } = States.CountPublished!;
  if (JSON.stringify(Parameters) !== '{"MapRunArn.$":"$.published.MapRunArn"}') {
    throw new Error('another map run is described');
  }
  States.CountPublished!.Parameters = { 'mapRunArn.$': '$.published.MapRunArn' };
  if (JSON.stringify(selector) !== '{"counts.$":"$.ItemCounts"}')
    throw new Error('other counts are selected');
  const counts = ['Succeeded', 'Failed', 'TimedOut', 'Aborted', 'Total'].map((name) => [
    `${name}.$`,
    `$.itemCounts.${name[0]!.toLowerCase()}${name.slice(1)}`,
  ]);
  States.CountPublished!.ResultSelector = { counts: Object.fromEntries(counts) };
  const { Payload } = States.RecordRun!.Parameters as { Payload: Record<string, unknown> };
  const { 'startedAt.$': startedAt, ...record } = Payload;
  if (startedAt !== '$$.Execution.StartTime') throw new Error('a run is recorded with another start');
  // Its text is no time of ISO 8601: the function would refuse it, and each run would wait for three tries more.
  States.RecordRun!.Parameters = {
    ...(States.RecordRun!.Parameters as object),
    Payload: { ...record, startedAt: new Date().toISOString() },
  };
  const text = JSON.stringify({ ...definition, States });
  return text.replaceAll(/("ToleratedFailurePercentage":\d+)(?=[,}])/g, '$1.0');
}

/** Of all results, those of maps within maps, too. */
function writeOutBuckets(states: States, bucket: string): void {
  for (const { ResultWriter, ItemProcessor } of Object.values(states)) {
    if (ResultWriter !== undefined) {
      const { 'Bucket.$': bucketPath, 'Prefix.$': prefixPath, ...rest } = ResultWriter.Parameters;
      const paths = `${bucketPath} ${prefixPath} ${Object.keys(rest)}`;
      if (!/^(\$(?:\.run)?\.results)\.bucket \1\.prefix $/.test(paths)) {
        throw new Error(`results go elsewhere: ${paths}`);
      }
      ResultWriter.Parameters = { Bucket: bucket, Prefix: 'runs/moto' };
    }
    if (ItemProcessor !== undefined) writeOutBuckets(ItemProcessor.States, bucket);
  }
}
