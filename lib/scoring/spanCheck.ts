import { type Field, type RecordBatch, util } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { columnRequirements, refuseWithoutDay, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import type { OpenSpan } from './openSpans.ts';
import { type ScoredRequest, splitRowGroups } from './scoredRequests.ts';

/** Whether the shards of a file fit the contract, and their row keys those of the first one. */
export interface SpanCheck {
  /** The row keys of the file: with the types, and with or without nulls, as in the first shard. */
  readonly keyFields: readonly Field[];
  /** @throws Ncs4cvrError PART_KEYS_DIFFER, SHARD_DAY_UNKNOWN, and as checkColumns */
  readonly shard: (span: OpenSpan) => void;
  /** @throws Ncs4cvrError PART_KEYS_DIFFER for nulls that the first shard's schema rules out */
  readonly nulls: (request: ScoredRequest) => void;
}

/** @throws as checkColumns, of the first shard */
export function spanCheck({ shard: firstShard }: OpenSpan, contract: FeatureContract): SpanCheck {
  const requirements = [...rowKeyRequirements(contract), ...columnRequirements(contract)];
  refuseWithoutDay(contract, firstShard.uri);
  checkColumns(firstShard, requirements);
  const fieldsOf = ({ schema }: OpenSpan['shard']) =>
    contract.rowKeys.map((key) => schema.fields.find(({ name }) => name === key)!);
  const keyFields = fieldsOf(firstShard);
  const without = keyFields.filter(({ nullable }) => !nullable);
  let lastGood = firstShard.columns;
  return {
    keyFields,
    shard: ({ shard }) => {
      refuseWithoutDay(contract, shard.uri);
      if (shard.columns === lastGood) return;
      checkColumns(shard, requirements);
      for (const [index, { name, type }] of fieldsOf(shard).entries()) {
        const { type: expected } = keyFields[index]!;
        if (util.compareTypes(expected, type)) continue;
        throw keysDiffer(shard.uri, name, `${expected}, as in ${firstShard.uri}`, String(type));
      }
      lastGood = shard.columns;
    },
    nulls: (request) => {
      if (without.every(({ name }) => nullsIn(request.batches, name) === 0)) return;
      for (const { rowGroup, batches } of splitRowGroups(request)) {
        for (const { name } of without) {
          const nullCount = nullsIn(batches, name);
          if (nullCount === 0) continue;
          throw keysDiffer(rowGroup.uri, name, `no nulls, as in ${firstShard.uri}`, `${nullCount} nulls`);
        }
      }
    },
  };
}

function nullsIn(batches: readonly RecordBatch[], column: string): number {
  return batches.reduce((sum, batch) => sum + columnOf(batch, column)!.nullCount, 0);
}

function keysDiffer(file: string, column: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('PART_KEYS_DIFFER', "the shards of a file don't agree in a row key", {
    file,
    column,
    expected,
    found,
  });
}
