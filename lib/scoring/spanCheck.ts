import { type Field, type RecordBatch, util } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { columnRequirements, refuseWithoutDay, rowKeyRequirements } from '../features/columnRequirements.ts';
import { forEachNull } from '../features/columnValues.ts';
import type { FeatureContract } from '../features/contract.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import type { ParquetShard } from '../parquet/openShard.ts';
import type { OpenSpan } from './openSpans.ts';
import type { RequestedRowGroup } from './requestedRowGroup.ts';
import { type ScoredRequest, splitRowGroups } from './scoredRequest.ts';

/** Whether the shards of a file fit the contract, and their row keys those of the first one. */
export interface SpanCheck {
  /** The row keys of the file: with the types, and with or without nulls, as in the first shard. */
  readonly keyFields: readonly Field[];
  /** @throws Ncs4cvrError PART_KEYS_DIFFER, SHARD_DAY_UNKNOWN, and as checkColumns */
  readonly shard: (span: OpenSpan) => void;
  /** @throws Ncs4cvrError SHARD_KEY_NULL, PART_KEYS_DIFFER for nulls that the first shard's schema rules out */
  readonly nulls: (request: ScoredRequest) => void;
}

/**
 * @param needsKeys whether a null key is an error in any shard
 * @throws as checkColumns, of the first shard
 */
export function spanCheck(
  { shard: firstShard }: OpenSpan,
  contract: FeatureContract,
  needsKeys: boolean,
): SpanCheck {
  refuseUnfit(firstShard, contract);
  const fieldsOf = ({ schema }: OpenSpan['shard']) =>
    contract.rowKeys.map((key) => schema.fields.find(({ name }) => name === key)!);
  const keyFields = fieldsOf(firstShard);
  const without = needsKeys ? keyFields : keyFields.filter(({ nullable }) => !nullable);
  let lastGood = firstShard.columns;
  return {
    keyFields,
    shard: ({ shard }) => {
      if (shard.columns === lastGood) return refuseWithoutDay(contract, shard.uri);
      refuseUnfit(shard, contract);
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
          if (needsKeys) throw keyIsNull(rowGroup, name, nullCount, batches);
          throw keysDiffer(rowGroup.uri, name, `no nulls, as in ${firstShard.uri}`, `${nullCount} nulls`);
        }
      }
    },
  };
}

/** @throws Ncs4cvrError of a shard that scoring would refuse by its columns or its path */
export function refuseUnfit(
  shard: Pick<ParquetShard, 'uri' | 'schema' | 'unreadableColumns'>,
  contract: FeatureContract,
): void {
  refuseWithoutDay(contract, shard.uri);
  checkColumns(shard, [...rowKeyRequirements(contract), ...columnRequirements(contract)]);
}

function nullsIn(batches: readonly RecordBatch[], column: string): number {
  return batches.reduce((sum, batch) => sum + columnOf(batch, column)!.nullCount, 0);
}

function keyIsNull(
  { uri: file, reads, rows }: RequestedRowGroup,
  column: string,
  nullCount: number,
  batches: readonly RecordBatch[],
): Ncs4cvrError {
  let row = rows?.start ?? 0;
  let firstNull: number | undefined;
  for (const batch of batches) {
    forEachNull(columnOf(batch, column)!, 0, batch.numRows, (at) => {
      firstNull ??= row + at;
    });
    row += batch.numRows;
  }
  // Of a large row group that is scored in pieces, each by a worker of its own, only this one was counted.
  const where = rows === undefined ? '' : ` in rows ${rows.start} to ${rows.end - 1}`;
  return new Ncs4cvrError('SHARD_KEY_NULL', 'a row has no key', {
    ...{ file, rowGroup: reads.rowGroup, column },
    expected: 'a value in every row: scores are joined by it',
    found:
      nullCount === 1
        ? `null in row ${firstNull}`
        : `${nullCount} nulls${where}, the first in row ${firstNull}`,
  });
}

function keysDiffer(file: string, column: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('PART_KEYS_DIFFER', "the shards of a file don't agree in a row key", {
    file,
    column,
    expected,
    found,
  });
}
