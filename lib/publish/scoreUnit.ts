import type { ModelBundle } from '../model/loadBundle.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import type { PartSpec } from './partSpec.ts';
import { scorePart } from './scorePart.ts';
import type { WorkUnit } from './workUnits.ts';

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

/** Rows a second that a worker is trusted with before it has scored any. */
const FIRST_GUESS_ROWS_PER_SECOND = 20_000;
/** A span takes longer than its rows say: opening, committing, reading back. */
const SPAN_MILLIS = 2_000;

/**
 * Scores a unit's spans one after the other and stops before one that wouldn't be done in time: what is finished stays,
 * the rest is handed on. The first span is begun in any case, so that every worker gets on.
 */
export async function scoreUnit(
  unit: WorkUnit,
  bundle: ModelBundle,
  pool: WorkerPool,
  { remainingMillis, reserveMillis }: UnitDeadline,
): Promise<ScoredUnit> {
  let [partsScored, partsDoneBefore, rowsScored, scoringMillis] = [0, 0, 0, 0];
  for (const [index, spec] of unit.specs.entries()) {
    const needMillis = expectedMillis(spec, rowsScored, scoringMillis) + reserveMillis;
    if (index > 0 && remainingMillis() < needMillis) {
      const rest = { ...unit, specs: unit.specs.slice(index) };
      return { partsScored, partsDoneBefore, rowsScored, rest };
    }
    const startMillis = performance.now();
    const { wasDone } = await scorePart(spec, unit.root, unit.partition, bundle, pool);
    if (wasDone) {
      partsDoneBefore++;
      continue;
    }
    partsScored++;
    rowsScored += spec.rows;
    scoringMillis += performance.now() - startMillis;
  }
  return { partsScored, partsDoneBefore, rowsScored, rest: undefined };
}

/** At the speed of this call so far. */
function expectedMillis({ rows }: PartSpec, rowsScored: number, scoringMillis: number): number {
  const rowsPerSecond =
    rowsScored === 0 ? FIRST_GUESS_ROWS_PER_SECOND : rowsScored / Math.max(0.001, scoringMillis / 1000);
  return SPAN_MILLIS + (1000 * rows) / rowsPerSecond;
}
