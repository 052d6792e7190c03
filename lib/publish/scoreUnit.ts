import type { ModelBundle } from '../bundle/loadBundle.ts';
import { scoreShard } from '../scoring/scoreShard.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import { modelIdentity } from './modelIdentity.ts';
import { partUri } from './outputLayout.ts';
import { type Receipt, readReceipt, writeReceipt } from './receipt.ts';
import type { WorkUnit } from './runPlan.ts';
import { partIdOf, type Span } from './span.ts';

/**
 * Scores one span into its part and writes the receipt; what anybody has done already is left as it is. May be
 * killed at any point and called again, by several at a time.
 * @throws StorageError STORAGE_FILE_CHANGED when the input isn't the planned version any more
 */
export async function scorePart(
  span: Span,
  root: string,
  partition: string,
  bundle: ModelBundle,
  pool: WorkerPool,
): Promise<{ readonly receipt: Receipt; readonly wasDone: boolean }> {
  const place = { root, partition, model: modelIdentity(bundle) };
  const done = await readReceipt(span, place);
  if (done !== undefined) return { receipt: done, wasDone: true };
  const uri = partUri(root, partition, partIdOf(span, place.model));
  await scoreShard(span.inputUri, uri, bundle, pool, {
    rowGroups: { first: span.firstRowGroup, end: span.endRowGroup },
    inputVersion: span.inputVersion,
    ifAbsent: true,
  });
  return { receipt: await writeReceipt(span, place, bundle.contract.rowKeys), wasDone: false };
}

export interface UnitDeadline {
  /** Milliseconds until the worker is stopped, whatever it is doing. */
  readonly remainingMillis: () => number;
  /** Left over for reporting. */
  readonly reserveMillis: number;
}

export interface ScoredUnit {
  readonly partsScored: number;
  readonly partsDoneBefore: number;
  readonly rowsScored: number;
  /** What is left for another worker; undefined when the unit is done. */
  readonly rest: WorkUnit | undefined;
}

/** Assumed of a worker before it has scored any rows. */
const FIRST_GUESS_ROWS_PER_SECOND = 20_000;
/** A span takes longer than its rows say: opening, committing, reading back. */
const SPAN_MILLIS = 2_000;

/**
 * Scores a unit's spans one after the other and stops before one that wouldn't be done in time: what is finished stays,
 * the rest is left for another worker. The first span is begun in any case, so that every worker makes progress.
 */
export async function scoreUnit(
  unit: WorkUnit,
  bundle: ModelBundle,
  pool: WorkerPool,
  { remainingMillis, reserveMillis }: UnitDeadline,
): Promise<ScoredUnit> {
  let [partsScored, partsDoneBefore, rowsScored, scoringMillis] = [0, 0, 0, 0];
  for (const [index, span] of unit.spans.entries()) {
    const needMillis = expectedMillis(span, rowsScored, scoringMillis) + reserveMillis;
    if (index > 0 && remainingMillis() < needMillis) {
      const rest = { ...unit, spans: unit.spans.slice(index) };
      return { partsScored, partsDoneBefore, rowsScored, rest };
    }
    const startMillis = performance.now();
    const { wasDone } = await scorePart(span, unit.root, unit.partition, bundle, pool);
    if (wasDone) {
      partsDoneBefore++;
      continue;
    }
    partsScored++;
    rowsScored += span.rows;
    scoringMillis += performance.now() - startMillis;
  }
  return { partsScored, partsDoneBefore, rowsScored, rest: undefined };
}

/** At the speed of this call so far. */
function expectedMillis({ rows }: Span, rowsScored: number, scoringMillis: number): number {
  const rowsPerSecond =
    rowsScored === 0 ? FIRST_GUESS_ROWS_PER_SECOND : rowsScored / Math.max(0.001, scoringMillis / 1000);
  return SPAN_MILLIS + (1000 * rows) / rowsPerSecond;
}
