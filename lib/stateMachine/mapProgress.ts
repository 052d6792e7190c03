import type { StepFunctions } from './stepFunctionsClient.ts';

/**
 * How far an execution's current map is, such as `ScoreUnits 34/120, 2 failed`; undefined before the first one. Needs
 * states:ListMapRuns and states:DescribeMapRun; without them nothing is told.
 */
export async function mapProgress(
  { sdk, client }: StepFunctions,
  executionArn: string,
): Promise<string | undefined> {
  try {
    const { mapRuns = [] } = await client.send(new sdk.ListMapRunsCommand({ executionArn }));
    const newest = mapRuns.sort((a, b) => b.startDate!.getTime() - a.startDate!.getTime())[0];
    if (newest === undefined) return undefined;
    const { mapRunArn } = newest;
    const { itemCounts } = await client.send(new sdk.DescribeMapRunCommand({ mapRunArn }));
    const { total = 0, succeeded = 0, failed = 0, timedOut = 0, aborted = 0 } = itemCounts!;
    const bad = failed + timedOut + aborted;
    // arn:...:mapRun:MACHINE/LABEL:ID
    const label = /\/([^:/]+):[^:]+$/.exec(mapRunArn!)?.[1] ?? 'items';
    return `${label} ${succeeded}/${total}${bad === 0 ? '' : `, ${bad} failed`}`;
  } catch {
    return undefined;
  }
}
