import type { Definition } from '../support/stepFunctions/runStateMachine.ts';

interface MapState {
  ToleratedFailurePercentage?: number;
  ResultWriter?: { Parameters: Record<string, string> };
}

/**
 * A state machine's definition as moto's interpreter takes it; everything else stays as it was packaged.
 * @throws Error when what is replaced isn't there as expected: then the replacement has to be looked at
 */
export function motoDefinition(definition: Definition, scoresBucket: string): string {
  const States = structuredClone(definition.States) as Record<string, MapState & Record<string, unknown>>;
  for (const state of Object.values(States)) {
    if (state.ResultWriter === undefined) continue;
    const { 'Bucket.$': bucketPath, ...rest } = state.ResultWriter.Parameters;
    if (bucketPath !== '$.units.bucket' && bucketPath !== '$.publish.bucket') {
      throw new Error(`the results' bucket isn't that of the plan: ${bucketPath}`);
    }
    state.ResultWriter.Parameters = { ...rest, Bucket: scoresBucket };
  }
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
  const text = JSON.stringify({ ...definition, States });
  return text.replaceAll(/("ToleratedFailurePercentage":\d+)(?=[,}])/g, '$1.0');
}
