import { Ncs4cvrError } from '../base/errors.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import { isReplacedFile } from '../storage/storage.ts';
import { brokenNoteOf, isBrokenShard, noteBrokenShard } from './brokenShard.ts';
import { modelIdentity } from './modelIdentity.ts';
import type { Part } from './part.ts';
import { type ScoredPart, scorePart } from './scorePart.ts';
import type { CallLimits } from './scorePartInCalls.ts';
import type { PartSource } from './scorePartRows.ts';
import { shardUri } from './span.ts';
import { unfitShards } from './unfitShards.ts';
import { spansOf, type WorkUnit } from './workUnit.ts';

export interface UnitDeadline {
  /** Milliseconds until the worker is stopped, whatever it is doing. */
  readonly remainingMillis: () => number;
  /** Left over for reporting. */
  readonly reserveMillis: number;
}

export interface ScoredUnit {
  readonly partsScored: number;
  readonly partsDoneBefore: number;
  /** Parts that can't be made as planned: a shard of theirs is broken, replaced or gone. Planned again, they are cut anew. */
  readonly partsDropped: number;
  readonly rowsScored: number;
  /** What is left for another worker; undefined when the unit is done. */
  readonly rest: WorkUnit | undefined;
}

/** Assumed of a worker before it has scored any rows: what models that are trained here exceed. */
const FIRST_GUESS_ROWS_PER_SECOND = 20_000;
/** Of an own model nothing is known. Larger parts than it scores in a call at that speed may take several calls. */
const OWN_MODEL_ROWS_PER_SECOND = 300;
/** A part takes longer than its rows say: opening, committing, reading back. */
const PART_MILLIS = 2_000;

/**
 * Scores a unit's parts one after the other. It stops before a part that wouldn't be done in time, and within one that
 * needs more than the whole time of a worker: what is finished stays, the rest is left for another worker. The first row
 * group is scored in any case, so that every worker makes progress. A part whose shard is broken or gone doesn't stop the
 * others.
 * @throws the first error that says nothing about a shard, after all other parts were tried
 */
export async function scoreUnit(
  unit: WorkUnit,
  bundle: ModelBundle,
  pool: WorkerPool,
  { remainingMillis, reserveMillis }: UnitDeadline,
): Promise<ScoredUnit> {
  let [partsScored, partsDoneBefore, partsDropped, rowsScored, scoringMillis] = [0, 0, 0, 0, 0];
  let failure: unknown;
  const isOwn = bundle.manifest.network.kind === 'own';
  const firstGuess = isOwn ? OWN_MODEL_ROWS_PER_SECOND : FIRST_GUESS_ROWS_PER_SECOND;
  const expectedMillis = (rows: number) => {
    const isNew = rowsScored === 0;
    const rowsPerMilli = isNew ? firstGuess / 1000 : rowsScored / Math.max(1, scoringMillis);
    return PART_MILLIS + rows / rowsPerMilli;
  };
  const restFrom = (index: number, progress?: WorkUnit['progress']): WorkUnit => {
    const { progress: _, ...same } = unit;
    return { ...same, parts: unit.parts.slice(index), ...(progress === undefined ? {} : { progress }) };
  };
  for (const [index, named] of unit.parts.entries()) {
    const needMillis = expectedMillis(named.rows) + reserveMillis;
    const isLate = remainingMillis() < needMillis;
    if (index > 0 && isLate) {
      if (failure !== undefined) throw failure;
      return { partsScored, partsDoneBefore, partsDropped, rowsScored, rest: restFrom(index) };
    }
    const progress = index === 0 ? unit.progress : undefined;
    const mayGoOn: CallLimits['mayGoOn'] = (nextRows, rowsSoFar, seconds) => {
      // Before the first rows are written, the seconds tell nothing of the speed.
      const millisPerRow = rowsSoFar === 0 ? 1000 / firstGuess : (seconds * 1000) / rowsSoFar;
      return remainingMillis() - reserveMillis > PART_MILLIS + nextRows * millisPerRow;
    };
    const part: Part = { partId: named.partId, rows: named.rows, spans: await spansOf(unit.root, named) };
    const startMillis = performance.now();
    let scored: ScoredPart | undefined;
    try {
      scored = await scorePart(part, unit, bundle, pool, {
        ...(progress === undefined ? {} : { progress }),
        ...(isLate || progress !== undefined ? { mayGoOn } : {}),
      });
    } catch (error) {
      if (await isDropped(part, unit, bundle, error)) partsDropped++;
      else failure ??= error;
      continue;
    }
    rowsScored += scored.rowsScored;
    scoringMillis += performance.now() - startMillis;
    if ('progress' in scored) {
      if (failure !== undefined) throw failure;
      return {
        partsScored,
        partsDoneBefore,
        partsDropped,
        rowsScored,
        rest: restFrom(index, scored.progress),
      };
    }
    if (scored.wasDone) partsDoneBefore++;
    else partsScored++;
  }
  if (failure !== undefined) throw failure;
  return { partsScored, partsDoneBefore, partsDropped, rowsScored, rest: undefined };
}

/**
 * Can a part not be made as planned, whoever tries? A shard that is broken is noted, so that the next cut leaves it out.
 */
export async function isDropped(
  { spans }: Part,
  { root, partition, inputUri, badRows }: PartSource,
  bundle: Pick<ModelBundle, 'manifest' | 'contract'>,
  error: unknown,
): Promise<boolean> {
  if (!(error instanceof Ncs4cvrError)) return false;
  const span = spans.find(({ shard }) => shardUri(inputUri, shard) === error.location.file);
  if (span === undefined) return false;
  if (isReplacedFile(error) || error.code === 'STORAGE_NOT_FOUND') return true;
  if (!isBrokenShard(error, shardUri(inputUri, span.shard))) return false;
  const brokenFor = { model: modelIdentity(bundle), badRows };
  await noteBrokenShard(root, partition, brokenFor, brokenNoteOf(error, span));
  // What a schema lost, all shards of a writer have mostly lost: told one by one, they outlast the attempts of a run.
  const others = spans.filter(({ shard }) => shard !== span.shard);
  for (const unfit of await unfitShards(others, inputUri, bundle.contract)) {
    await noteBrokenShard(root, partition, brokenFor, unfit);
  }
  return true;
}
