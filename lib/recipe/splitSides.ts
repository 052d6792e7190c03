import { Ncs4cvrError } from '../base/errors.ts';
import { isInRange } from '../job/listPartitions.ts';
import { DEFAULT_LAYOUT, type PartitionLayout, parsePartitionLayout } from '../job/partitionLayout.ts';
import { shardMatcher } from '../storage/listShards.ts';
import type { ListedFile } from '../storage/storage.ts';
import { daysOfShards } from './daysOfShards.ts';
import type { SplitConfig } from './trainingConfig.ts';

/** What a row was to the training: `report` is neither trained nor chosen on; `other` the split doesn't name. */
export const SPLIT_SIDES = ['training', 'validation', 'report', 'other'] as const;
export type SplitSide = (typeof SPLIT_SIDES)[number];

/** Which days of some shards a model was trained and chosen on. */
export interface SplitSides {
  /** YYYY-MM-DD; undefined for a shard that the split doesn't count, or outside of partitions. */
  readonly dayOf: (shard: ListedFile) => string | undefined;
  readonly sideOf: (day: string | undefined) => SplitSide;
  /** The days of a side in words; undefined for others. */
  readonly daysOf: (side: SplitSide) => string | undefined;
}

/**
 * Tells rows that a model was trained on from others, by the folders of the shards.
 * @param split that the model was trained by
 * @returns undefined where that can't be told: for a split by fraction, and for shards outside of partitions
 */
export function splitSides(split: SplitConfig, shards: readonly ListedFile[]): SplitSides | undefined {
  if (split.by !== 'date') return undefined;
  const layout = parsePartitionLayout(split.partitions ?? DEFAULT_LAYOUT);
  const counts = shardMatcher(split.shardPattern);
  const days = new Map(shards.map((shard) => [shard, dayOfShard(shard, layout, counts)]));
  if ([...days.values()].every((day) => day === undefined)) return undefined;
  const rangeOf = (side: SplitSide) =>
    side === 'training' ? split.train : side === 'other' ? undefined : split[side];
  return {
    dayOf: (shard) => days.get(shard),
    sideOf: (day) => {
      const isIn = (side: SplitSide) => {
        const range = rangeOf(side);
        return day !== undefined && range !== undefined && isInRange(day, range);
      };
      return SPLIT_SIDES.find(isIn) ?? 'other';
    },
    daysOf: (side) => {
      const range = rangeOf(side);
      return range && (range.from === range.to ? range.from : `${range.from} to ${range.to}`);
    },
  };
}

function dayOfShard(
  shard: ListedFile,
  layout: PartitionLayout,
  counts: (path: string) => boolean,
): string | undefined {
  try {
    const [day] = daysOfShards([shard], layout, counts).byDay.keys();
    return day;
  } catch (error) {
    if (error instanceof Ncs4cvrError && error.code === 'TRAINING_NO_DATE') return undefined;
    throw error;
  }
}
