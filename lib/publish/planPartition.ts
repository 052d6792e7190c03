import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type CutPartition, cutPartition, refuseChangedList } from './cutPartition.ts';
import { planOfCut } from './makeRunPlan.ts';
import { below, planPath } from './outputLayout.ts';
import { digestOfParts } from './part.ts';
import type { PartitionRun } from './partitionRun.ts';
import { openParts } from './runPlan.ts';
import { shardUri } from './span.ts';
import { workUnits } from './workUnit.ts';

export interface PlanOptions {
  /** Asked now and then while footers are read. */
  readonly mayGoOn?: () => boolean;
  /**
   * Rows of a row group that a worker can score in the time it has. A row group isn't divided: it would be begun again and
   * again, and never end.
   */
  readonly mostRowGroupRows?: number;
}

/** What is to be scored of a partition, written down for a map. */
export interface PlannedUnits {
  /** URI of a JSON array of work units. */
  readonly unitsUri: string;
  readonly unitCount: number;
  readonly partCount: number;
  readonly doneCount: number;
  readonly brokenCount: number;
  /** URIs of the files that are no shards. */
  readonly ignored: readonly string[];
}

/**
 * Plans one partition of a run: lists it, cuts it, and writes what isn't done as work units below the output root.
 * @returns undefined when it was stopped; called again, it goes on from there
 * @throws Ncs4cvrError PLAN_STALE when the input isn't what the run was made for, PLAN_ROW_GROUP_TOO_LARGE; see
 * `cutPartition`
 */
export async function planPartition(
  run: PartitionRun,
  { mayGoOn, mostRowGroupRows = Number.POSITIVE_INFINITY }: PlanOptions = {},
): Promise<PlannedUnits | undefined> {
  const cut = await cutPartition(run, mayGoOn);
  if (cut === undefined) return undefined;
  refuseChangedList(run, cut);
  const found = digestOfParts(cut.parts);
  if (run.partsDigest !== undefined && run.partsDigest !== found) {
    throw new Ncs4cvrError('PLAN_STALE', 'the input has changed since the plan was made; plan again', {
      file: run.inputUri,
      expected: `parts ${run.partsDigest.slice(0, 12)}`,
      found: found.slice(0, 12),
    });
  }
  refuseLargeRowGroups(run, cut, mostRowGroupRows);
  const planned = await planOfCut(run, cut);
  const units = await workUnits(run, openParts(planned));
  const bytes = encodeJson(units);
  const unitsUri = below(run.root, planPath(`${sha256(bytes)}.units`));
  await storageFor(unitsUri).createIfAbsent(unitsUri, bytes);
  return {
    unitsUri,
    unitCount: units.length,
    partCount: cut.parts.length,
    doneCount: planned.done.length,
    brokenCount: cut.broken.length,
    ignored: cut.ignored,
  };
}

function refuseLargeRowGroups({ inputUri }: PartitionRun, { largest }: CutPartition, mostRows: number): void {
  if (largest === undefined || largest.rows <= mostRows) return;
  const { shard, rowGroup, rows } = largest;
  throw new Ncs4cvrError('PLAN_ROW_GROUP_TOO_LARGE', 'a row group takes longer than a worker has', {
    file: shardUri(inputUri, shard),
    rowGroup,
    expected: `at most ${mostRows} rows in a row group`,
    found: `${rows}`,
  });
}
