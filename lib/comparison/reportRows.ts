import { Ncs4cvrError } from '../base/errors.ts';
import { TASKS } from '../base/tasks.ts';
import { labelRequirements, readLabels, readUsers } from '../features/readLabels.ts';
import type { UserKey } from '../metrics/rankedRows.ts';
import { labelMaturity } from '../recipe/labelMaturity.ts';
import { type DataSplit, readShardRows } from '../recipe/splitShards.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { countClasses, type FunnelLabels } from '../training/taskLabels.ts';

/** Labels of the report rows, in file order. All arrays have one length. */
export interface ReportLabels extends FunnelLabels {
  /** Absent when the config names no user column. */
  readonly users: readonly (UserKey | null)[] | undefined;
}

export async function readReportLabels({ labels }: TrainingConfig, split: DataSplit): Promise<ReportLabels> {
  const click: number[] = [];
  const conversion: number[] = [];
  const users: (UserKey | null)[] = [];
  const isMature = labelMaturity(labels, split.newestDay);
  for await (const { batch, ...place } of readShardRows(split.report, labelRequirements(labels))) {
    const found = readLabels(batch, labels, place, isMature(place.day));
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
 * Refuses report rows whose labels of a task are all the same, before hours of training whose differences no AUC could tell.
 * @throws Ncs4cvrError COMPARISON_NO_REPORT
 */
export function refuseEqualLabels(labels: ReportLabels, dataUri: string, { reportText }: DataSplit): void {
  for (const task of TASKS) {
    const { rows, positives, differ } = countClasses(labels, task);
    const name = `${task}s`;
    if (differ) continue;
    throw new Ncs4cvrError('COMPARISON_NO_REPORT', `the report rows can't tell arms apart by ${name}`, {
      file: dataUri,
      expected: `${name} that differ in ${reportText}`,
      found: `${positives} of ${rows}`,
    });
  }
}
