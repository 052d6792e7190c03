import { deadLetterBudget } from '../job/badRows.ts';
import { type BrokenShard, describeBrokenShard } from './brokenShard.ts';
import { refuseBeyondBudget } from './deadLetters.ts';
import type { Part } from './part.ts';
import type { PartitionRun } from './partitionRun.ts';
import type { Receipt } from './receipt.ts';

/** A partition's input, all of whose parts are scored. */
export interface ScoredInput {
  /** What the input holds. */
  readonly parts: readonly Part[];
  /** What was scored, in the same order. */
  readonly receipts: readonly Receipt[];
  /** Shards that are in no part. */
  readonly broken: readonly BrokenShard[];
}

/** Names what stands against publishing at all, whatever the job or an operator says; nothing if all is well. */
export type InputCheck = (input: ScoredInput, run: PartitionRun) => readonly string[];

/** Every row of the input is in exactly one part, scored or a dead letter. Keys and the range of the scores were checked for every receipt. */
const checkRowCounts: InputCheck = ({ parts, receipts }) =>
  parts.flatMap(({ partId, rows, spans }, index) => {
    const receipt = receipts[index]!;
    const isOf = receipt.partId === partId && JSON.stringify(receipt.spans) === JSON.stringify(spans);
    const { scoredRows, profile } = receipt;
    const deadRows = receipt.deadLetters?.rows ?? 0;
    const isWhole = receipt.rows === rows && scoredRows + deadRows === rows && profile.rows === scoredRows;
    if (isOf && isWhole) return [];
    const names = spans.map(({ shard }) => shard).join(', ');
    const left = deadRows === 0 ? '' : ` and ${deadRows} dead letters`;
    const found = receipt.rows === rows ? `${scoredRows}${left}` : `${receipt.rows}`;
    return [`${receipt.path}: expected ${rows} rows of ${names}, found ${found}`];
  });

/** No more rows are left out than the job tolerates. */
const checkDeadLetters: InputCheck = ({ receipts }, run) =>
  refuseBeyondBudget(run.root, receipts, deadLetterBudget(run.badRows));

/** Broken shards that are named in one outcome. */
const NAMED_SHARDS = 20;

/** No more shards are left out than the job tolerates, and never all of them. */
const checkBrokenShards: InputCheck = ({ parts, broken }, run) => {
  if (broken.length <= run.toleratedBrokenShards && parts.length > 0) return [];
  const named = broken.slice(0, NAMED_SHARDS).map((shard) => describeBrokenShard(run.inputUri, shard));
  const more = broken.length > NAMED_SHARDS ? [`and ${broken.length - NAMED_SHARDS} more broken shards`] : [];
  return [...named, ...more];
};

/** Of every publication, before its manifest is written. */
export const INPUT_CHECKS: readonly InputCheck[] = [checkRowCounts, checkDeadLetters, checkBrokenShards];
