import { tableFromIPC } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import { labelRequirements, readLabels, readUsers } from '../features/readLabels.ts';
import type { UserKey } from '../metrics/labelledRows.ts';
import type { ShardRows } from '../recipe/splitShards.ts';
import { readShardRows } from '../recipe/splitShards.ts';
import type { TrainingConfig } from '../recipe/trainingConfig.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import type { ReportScores } from './comparisonDocument.ts';

/** Labels of the report part, in file order. All arrays have one length. */
export interface ReportLabels {
  readonly click: Uint8Array;
  /** Only meaningful where click is 1. */
  readonly conversion: Float32Array;
  /** Absent when the config names no user column. */
  readonly users: readonly (UserKey | null)[] | undefined;
}

export async function readReportLabels(
  { labels }: TrainingConfig,
  parts: readonly ShardRows[],
): Promise<ReportLabels> {
  const click: number[] = [];
  const conversion: number[] = [];
  const users: (UserKey | null)[] = [];
  for await (const { batch, ...place } of readShardRows(parts, labelRequirements(labels))) {
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

/** The Arrow file of a part's shard, as the scoring job writes it. */
export const scoresFile = (folder: string, part: number): string =>
  joinUri(folder, `scores/part-${part}.arrow`);

/**
 * A run's scores of the report part, in file order.
 * @throws Ncs4cvrError COMPARISON_RUN_INVALID when rows are missing
 */
export async function readReportScores(folder: string, parts: readonly ShardRows[]): Promise<ReportScores> {
  const rowCount = parts.reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
  const scores = { pctr: new Float32Array(rowCount), pcvr: new Float32Array(rowCount) };
  let at = 0;
  for (const [index, { rowStart, rowEnd }] of parts.entries()) {
    const file = scoresFile(folder, index);
    const table = tableFromIPC(await storageFor(file).readWhole(file));
    if (table.numRows < rowEnd) {
      throw new Ncs4cvrError('COMPARISON_RUN_INVALID', 'scores are missing', {
        file,
        expected: `${rowEnd} rows`,
        found: `${table.numRows}`,
      });
    }
    for (const name of ['pctr', 'pcvr'] as const) {
      const column = table.getChild(name)!.toArray() as Float32Array;
      scores[name].set(column.subarray(rowStart, rowEnd), at);
    }
    at += rowEnd - rowStart;
  }
  return scores;
}
