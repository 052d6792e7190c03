import { Ncs4cvrError } from '../base/errors.ts';
import { labelRequirements, readLabels, readUsers } from '../features/readLabels.ts';
import type { UserKey } from '../metrics/labelledRows.ts';
import { type DataSplit, readShardRows, type ShardRows } from '../recipe/splitShards.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';

/** Labels of the report rows, in file order. All arrays have one length. */
export interface ReportLabels {
  readonly click: Uint8Array;
  /** Only meaningful where click is 1. */
  readonly conversion: Float32Array;
  /** Absent when the config names no user column. */
  readonly users: readonly (UserKey | null)[] | undefined;
}

export async function readReportLabels(
  { labels }: TrainingConfig,
  shards: readonly ShardRows[],
): Promise<ReportLabels> {
  const click: number[] = [];
  const conversion: number[] = [];
  const users: (UserKey | null)[] = [];
  for await (const { batch, ...place } of readShardRows(shards, labelRequirements(labels))) {
    const found = readLabels(batch, labels, place);
    for (const value of found.click) click.push(value);
    for (const value of found.conversion) conversion.push(value);
    if (labels.user !== undefined) for (const user of readUsers(batch, labels.user)) users.push(user);
  }
  return {
    click: Uint8Array.from(click),
    conversion: Float32Array.from(conversion),
    users: labels.user === undefined ? undefined : users,
  };
}

/**
 * Refuses report rows without both classes of a task, before hours of training whose differences no AUC could tell.
 * @throws Ncs4cvrError COMPARISON_NO_REPORT
 */
export function refuseOneClass(
  { click, conversion }: ReportLabels,
  dataUri: string,
  { reportText }: DataSplit,
): void {
  let [clicks, conversions] = [0, 0];
  click.forEach((clicked, row) => {
    clicks += clicked;
    if (clicked === 1) conversions += conversion[row]!;
  });
  for (const [name, positives, rows] of [
    ['clicks', clicks, click.length],
    ['conversions', conversions, clicks],
  ] as const) {
    if (positives > 0 && positives < rows) continue;
    throw new Ncs4cvrError('COMPARISON_NO_REPORT', `the report rows can't tell arms apart by ${name}`, {
      file: dataUri,
      expected: `both classes of ${name} in ${reportText}`,
      found: `${positives} of ${rows}`,
    });
  }
}
