import type { ModelBundle } from '../bundle/loadBundle.ts';
import { type BadRows, deadLetterBudget } from '../job/badRows.ts';
import { partMetadata } from '../scoring/predictionMetadata.ts';
import { type ScoredFile, type ScoreSpansOptions, scoreSpans } from '../scoring/scoreSpans.ts';
import type { WorkerPool } from '../scoring/workerPool.ts';
import type { FileStat } from '../storage/storage.ts';
import { type DeadLetter, DeadLetterCollector } from './deadLetters.ts';
import type { Part } from './part.ts';
import type { ScoredContent } from './receipt.ts';
import { shardUri } from './span.ts';

/** Whose part it is, and where its shards are. */
export interface PartSource {
  readonly root: string;
  readonly partition: string;
  readonly inputUri: string;
  /** See `RunSettings`. */
  readonly countLabels?: boolean | undefined;
  /** As in the job document; `fail` by default. */
  readonly badRows?: BadRows | undefined;
}

/** A part, and what it is scored with. */
export interface PartCall {
  readonly part: Part;
  readonly source: PartSource;
  readonly bundle: ModelBundle;
  readonly pool: WorkerPool;
}

/** A part of the default target is one request then, and not five. */
export const WRITE_ONCE = { ifAbsent: true, pieceBytes: 64 * 2 ** 20 };

/** A part that lies whole under its name, without a receipt yet. */
export interface ScoredPartFile {
  readonly content: ScoredContent;
  /** By this call. */
  readonly rowsScored: number;
  /** Where this call has created it. */
  readonly created?: FileStat;
  /** Files that nobody needs once the receipt is written. */
  readonly leftovers: readonly string[];
}

/** Rows of a part in one file, and those that were left out on the way. */
export interface ScoredPartRows extends ScoredFile {
  readonly deadLetters: readonly DeadLetter[];
}

/**
 * Scores the part's rows, or as many as `options` ask for, into one file. Rows that can't be scored are left out where the job
 * allows it.
 * @throws as `scoreSpans`; Ncs4cvrError PUBLISH_DEAD_LETTERS
 */
export async function scorePartRows(
  { part, source, bundle, pool }: PartCall,
  outputUri: string,
  options: Pick<ScoreSpansOptions, 'ifAbsent' | 'pieceBytes' | 'from' | 'mayGoOn'>,
): Promise<ScoredPartRows> {
  const { inputUri, countLabels = false, badRows } = source;
  const spans = part.spans.map(({ shard, version, sizeBytes, firstRowGroup, endRowGroup }) => ({
    uri: shardUri(inputUri, shard),
    known: { sizeBytes, version },
    rowGroups: { first: firstRowGroup, end: endRowGroup },
  }));
  const counts = { rowCount: part.rows, inputCount: part.spans.length };
  const budget = deadLetterBudget(badRows);
  const collector = budget && new DeadLetterCollector(part, inputUri, budget);
  const scored = await scoreSpans(spans, outputUri, bundle, pool, {
    metadata: () => partMetadata(bundle, counts),
    countLabels,
    needsKeys: true,
    ...(collector && { onBadCells: collector.addCells.bind(collector) }),
    ...options,
  });
  return { ...scored, deadLetters: collector?.letters ?? [] };
}
