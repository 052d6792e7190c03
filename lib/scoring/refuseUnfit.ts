import { columnRequirements, refuseWithoutDay, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import { checkColumns } from '../parquet/checkColumns.ts';
import type { ParquetShard } from '../parquet/openShard.ts';

/** @throws Ncs4cvrError of a shard that scoring would refuse by its columns or its path */
export function refuseUnfit(
  shard: Pick<ParquetShard, 'uri' | 'schema' | 'unreadableColumns'>,
  contract: FeatureContract,
): void {
  refuseWithoutDay(contract, shard.uri);
  checkColumns(shard, [...rowKeyRequirements(contract), ...columnRequirements(contract)]);
}
