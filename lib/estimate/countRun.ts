import { isLooking } from '../job/gateSettings.ts';
import { requestsForKeys } from '../keys/findRepeatedKeys.ts';
import type { Part } from '../publish/part.ts';
import { openParts, type PlannedPartition, type RunPlan } from '../publish/runPlan.ts';
import type { Span } from '../publish/span.ts';
import { batchParts, isLargePart } from '../publish/workUnit.ts';
import { REQUEST_ROWS, SMALL_SHARD_BYTES } from '../scoring/requestLimits.ts';
import { requestsForRead } from '../storage/s3File.ts';

/** What is paid by the piece, of a run by the state machine in which nothing is repeated. */
export interface RunCounts {
  /** GET and HEAD, which have one price. */
  readonly gets: number;
  /** PUT, POST and LIST, which have one price. */
  readonly puts: number;
  /** Of functions. */
  readonly invocations: number;
  readonly transitions: number;
}

/** In one answer of a listing. */
const NAMES_PER_LISTING = 1000;
/** Scores and row keys, of 64 bits and of some letters; longer keys make more requests of large parts. */
const PART_BYTES_PER_ROW = 40;
/** In which a part is written and read back (lib/publish/scorePartRows.ts). */
const PIECE_BYTES = 64 * 2 ** 20;

// Requests as counted against the S3 double, those of Step Functions for its maps included.
/** The plan, the list of partitions, the bundle's manifest, the results of the map over them. */
const GETS_PER_RUN = 4;
/** The list of partitions, the results of the map over them and their listing, the record of the run. */
const PUTS_PER_RUN = 5;
/** Planner and publisher: shapes, twice; the pointer, twice; the probe's mark, the event's mark. */
const GETS_PER_PARTITION = 6;
/** Units, manifest, audit document before and after the flip, pointer, the event's mark; two looks for broken shards. */
const PUTS_PER_PARTITION = 8;
/** The input is listed by planner and publisher, and each time for files and for folders. */
const LISTINGS_OF_INPUT = 4;
/** Of parts and of receipts, by the planner and by the publisher. */
const LISTINGS_OF_DONE = 2;
/** Units, for the map over them. */
const GETS_PER_MAP = 1;
/** Its results. */
const PUTS_PER_MAP = 2;
/** Is it there? */
const HEADS_PER_OPEN_PART = 1;
/** What gates measure by: the bundle's manifest and reference. */
const GETS_PER_YARDSTICK = 2;

// State transitions of infra/scoringRun.asl.json. The start of a map's item is counted as one.
const TRANSITIONS_PER_RUN = 8;
const TRANSITIONS_PER_PARTITION = 6;
export const TRANSITIONS_PER_UNIT = 4;
/** Of what one call has left to another. */
export const TRANSITIONS_PER_FURTHER_CALL = 3;

/**
 * @param bundleGets requests that load the model's bundle
 * @param workers score functions that start, each of which loads it
 */
export function countRun(plan: RunPlan, bundleGets: number, workers: number): RunCounts {
  const each = plan.partitions.map((partition) => countPartition(partition, plan));
  const sum = (amountOf: (counts: RunCounts) => number) =>
    each.reduce((total, counts) => total + amountOf(counts), 0);
  return {
    gets: GETS_PER_RUN + workers * bundleGets + sum(({ gets }) => gets),
    puts: PUTS_PER_RUN + sum(({ puts }) => puts),
    // One chooses the partitions, one notes how they ended.
    invocations: 2 + sum(({ invocations }) => invocations),
    transitions: TRANSITIONS_PER_RUN + sum(({ transitions }) => transitions),
  };
}

function countPartition(partition: PlannedPartition, { targetRows, gates }: RunPlan): RunCounts {
  const { parts, done, shardCount } = partition;
  const open = openParts(partition);
  const units = batchParts(open, targetRows).length;
  const maps = units > 0 ? 1 : 0;
  let gets = GETS_PER_PARTITION + maps * GETS_PER_MAP;
  let puts = PUTS_PER_PARTITION + maps * PUTS_PER_MAP + LISTINGS_OF_INPUT * listings(shardCount);
  puts += LISTINGS_OF_DONE * (listings(done.length) + listings(parts.length));
  // A part's receipt is read when it is published, unless it is visible already: a few GETs too many, then.
  gets += parts.length;
  for (const part of open) {
    gets += getsOfPart(part);
    puts += putsOfPart(part);
  }
  const looked = requestsOfGates(partition, gates);
  return {
    gets: gets + looked.gets,
    puts: puts + looked.listings,
    // One plans and one publishes.
    invocations: 2 + units,
    transitions: TRANSITIONS_PER_PARTITION + maps + units * TRANSITIONS_PER_UNIT,
  };
}

/**
 * What the publisher reads to judge the partition: manifests, the yardstick, fingerprints of keys. Too many where it finds that
 * there is nothing to judge; a few are missing where it blocks.
 */
function requestsOfGates(
  { parts, earlier }: PlannedPartition,
  gates: RunPlan['gates'],
): { readonly gets: number; readonly listings: number } {
  if (!isLooking(gates)) return { gets: 0, listings: 0 };
  const { own, previous, weekday, near, beside } = earlier;
  const compared = [own, previous, weekday].filter((name) => name !== undefined).length;
  const { action, sameKeys } = gates.repeatedContent;
  const content =
    (action === 'off' ? 0 : near.length) + (sameKeys === 'off' ? 0 : (beside?.published.length ?? 0));
  const keys = gates.repeatedKeys.action === 'off' ? 0 : requestsForKeys(parts.map(({ rows }) => rows));
  return {
    gets: GETS_PER_YARDSTICK + compared + content + keys,
    listings: keys === 0 ? 0 : listings(parts.length),
  };
}

/** Of the shards' rows, and of the part that is read back. */
function getsOfPart(part: Part): number {
  const { rows, spans } = part;
  const pieces = piecesOf(rows);
  const ofPiece = requestsForRead(Math.min(PIECE_BYTES, rows * PART_BYTES_PER_ROW));
  // Of several its end comes first.
  const readBack = pieces === 1 ? ofPiece : pieces * ofPiece + 1;
  const documents = isLargePart(part) ? 1 : 0;
  return HEADS_PER_OPEN_PART + readBack + documents + spans.reduce((sum, span) => sum + getsOfSpan(span), 0);
}

/**
 * A small shard is read whole. Of others the footer is read, and row groups together up to the rows that are scored together: if
 * they are alike, and neither so large nor so wide that they take several reads.
 */
function getsOfSpan({ sizeBytes, firstRowGroup, endRowGroup, rows }: Span): number {
  if (sizeBytes <= SMALL_SHARD_BYTES) return 1;
  const rowGroups = endRowGroup - firstRowGroup;
  const together = Math.max(1, Math.floor((REQUEST_ROWS * rowGroups) / Math.max(1, rows)));
  return 1 + Math.ceil(rowGroups / together);
}

/** The part's pieces, the fingerprints of its keys, and its receipt. */
function putsOfPart(part: Part): number {
  const { rows } = part;
  const pieces = piecesOf(rows);
  const documents = isLargePart(part) ? 1 : 0;
  return 1 + (rows > 0 ? 1 : 0) + documents + (pieces === 1 ? 1 : pieces + 2);
}

function piecesOf(rows: number): number {
  return Math.max(1, Math.ceil((rows * PART_BYTES_PER_ROW) / PIECE_BYTES));
}

/** Requests for so many names. An empty folder takes one, too. */
function listings(names: number): number {
  return Math.max(1, Math.ceil(names / NAMES_PER_LISTING));
}
