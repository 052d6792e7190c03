import { type Field, type RecordBatch, util } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { columnRequirements, refuseWithoutDay, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import type { OpenSpan } from './openSpans.ts';
import type { PlannedRowGroup } from './planRequests.ts';

/** Whether the shards of a file fit the contract, and their row keys those of the first one. */
export interface SpanCheck {
  /** The row keys of the file: with the types, and with or without nulls, as in the first shard. */
  readonly keyFields: readonly Field[];
  /** @throws Ncs4cvrError PART_KEYS_DIFFER, SHARD_DAY_UNKNOWN, and as checkColumns */
  readonly shard: (span: OpenSpan) => void;
  /** @throws Ncs4cvrError PART_KEYS_DIFFER for nulls that the first shard's schema rules out */
  readonly nulls: (keys: RecordBatch, rowGroup: PlannedRowGroup) => void;
}

/** @throws as checkColumns, of the first shard */
export function spanCheck({ shard: firstShard }: OpenSpan, contract: FeatureContract): SpanCheck {
  const requirements = [...rowKeyRequirements(contract), ...columnRequirements(contract)];
  refuseWithoutDay(contract, firstShard.uri);
  checkColumns(firstShard, requirements);
  const fieldsOf = ({ schema }: OpenSpan['shard']) =>
    contract.rowKeys.map((key) => schema.fields.find(({ name }) => name === key)!);
  const keyFields = fieldsOf(firstShard);
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
    nulls: (keys, { uri }) => {
      for (const { name, nullable } of keyFields) {
        const nullCount = nullable ? 0 : columnOf(keys, name)!.nullCount;
        if (nullCount === 0) continue;
        throw keysDiffer(uri, name, `no nulls, as in ${firstShard.uri}`, `${nullCount} nulls`);
      }
    },
  };
}

function keysDiffer(file: string, column: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('PART_KEYS_DIFFER', "the shards of a file don't agree in a row key", {
    file,
    column,
    expected,
    found,
  });
}
