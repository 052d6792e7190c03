import { Ncs4cvrError } from '../base/errors.ts';
import { isShard, listShards } from '../storage/listShards.ts';
import { joinUri } from '../storage/uri.ts';

/** Which partitions of an input folder a run takes. */
export type PartitionChoice =
  | { readonly kind: 'newest' }
  | { readonly kind: 'one'; readonly partition: string }
  /** Dates of `dt=YYYY-MM-DD`, both inclusive. */
  | { readonly kind: 'dates'; readonly from: string; readonly to: string };

export interface InputPartition {
  /** Such as `dt=2022-05-06`, or `dt=2022-05-06/hour=07`. */
  readonly partition: string;
  readonly inputUri: string;
}

/** Leading folders `name=value` of a shard's path. */
const PARTITION = /^(?:[^/=]+=[^/]+\/)+/;
const DATE = /(?:^|\/)dt=(\d{4}-\d{2}-\d{2})(?:\/|$)/;

/**
 * The chosen partitions below an input folder, in binary order.
 * @throws Ncs4cvrError PLAN_NO_PARTITION when there is none of that choice
 */
export async function selectPartitions(
  inputRoot: string,
  choice: PartitionChoice,
): Promise<InputPartition[]> {
  const { shards } = await listShards(inputRoot);
  const names = shards.map(({ relativePath }) => nameOf(relativePath));
  const found = [...new Set(names.filter((name) => name !== undefined))];
  const chosen = choose(found, choice);
  if (chosen.length > 0) {
    return chosen.map((partition) => inputPartition(inputRoot, partition));
  }
  throw new Ncs4cvrError('PLAN_NO_PARTITION', 'there is no such partition of shards', {
    file: inputRoot,
    expected: describe(choice),
    found: found.slice(-5).join(', ') || 'shards outside of folders such as dt=2022-05-06',
  });
}

export function inputPartition(inputRoot: string, partition: string): InputPartition {
  return { partition, inputUri: joinUri(inputRoot, ...partition.split('/')) };
}

/** The partition that a shard lies in, below an input folder; undefined for anything else. */
export function partitionOf(inputRoot: string, shardUri: string): string | undefined {
  const prefix = `${inputRoot.replace(/\/+$/, '')}/`;
  if (!shardUri.startsWith(prefix)) return undefined;
  const relativePath = shardUri.slice(prefix.length);
  return isShard(relativePath) ? nameOf(relativePath) : undefined;
}

function nameOf(relativePath: string): string | undefined {
  return PARTITION.exec(relativePath)?.[0]?.replace(/\/$/, '');
}

/** @param found in binary order, as they are listed */
function choose(found: readonly string[], choice: PartitionChoice): readonly string[] {
  if (choice.kind === 'newest') return found.slice(-1);
  if (choice.kind === 'one') return found.filter((name) => name === choice.partition);
  return found.filter((name) => {
    const date = DATE.exec(name)?.[1];
    return date !== undefined && date >= choice.from && date <= choice.to;
  });
}

function describe(choice: PartitionChoice): string {
  if (choice.kind === 'newest') return 'shards in a folder such as dt=2022-05-06';
  return choice.kind === 'one' ? choice.partition : `dt=${choice.from} to dt=${choice.to}`;
}
