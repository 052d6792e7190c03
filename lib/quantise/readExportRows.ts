import type { RecordBatch } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import { labelsOf } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';
import { columnRequirements } from '../features/columnRequirements.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { labelRequirements } from '../features/readLabels.ts';
import { firstGoldenRows } from '../recipe/encodeData.ts';
import { labelMaturity } from '../recipe/labelMaturity.ts';
import { readShardRows, type ShardRows, splitShards } from '../recipe/splitShards.ts';
import { recordedSplit } from '../recipe/trainingConfig.ts';
import type { ShardInput } from '../storage/listShards.ts';
import { type TrainingSet, TrainingSetBuilder } from '../training/trainingSet.ts';

/** Ranges of activations don't change with more rows; 8,192 of 512 columns take 16 MB. */
const CALIBRATION_ROWS = 8192;
/** Places that they are taken from: over all days, and not one read for each row. */
const CALIBRATION_SLICES = 32;

/** The rows that a bundle is made smaller by. */
export interface ExportRows {
  /** Rows that were trained on, evenly spread over all of them. */
  readonly calibration: TrainingSet;
  /** All rows that the checkpoint was chosen on. */
  readonly validation: TrainingSet;
  /** The first validation rows, raw. */
  readonly goldenRows: RecordBatch;
}

/**
 * Reads rows of the data that a bundle was trained on, split as its manifest says.
 * @throws Ncs4cvrError EXPORT_DATA_MISMATCH when these data split otherwise, and as readShardRows
 */
export async function readExportRows(
  { uri, manifest, contract, vocabularies }: ModelBundle,
  input: ShardInput,
): Promise<ExportRows> {
  const { training } = manifest;
  const labels = labelsOf(uri, manifest);
  const split = await splitShards(input, recordedSplit(training.config, uri));
  const sides = {
    training: [training.trainSplit, training.trainRows, split.trainingText, countRows(split.training)],
    validation: [
      training.validationSplit,
      training.validationRows,
      split.validationText,
      countRows(split.validation),
    ],
  } as const;
  for (const [side, [expectedText, expectedRows, foundText, foundRows]] of Object.entries(sides)) {
    if (expectedText === foundText && expectedRows === foundRows) continue;
    throw new Ncs4cvrError('EXPORT_DATA_MISMATCH', `the ${side} rows aren't those of the bundle`, {
      file: split.uri,
      expected: `${expectedText}, ${expectedRows} rows`,
      found: `${foundText}, ${foundRows} rows`,
    });
  }
  const isMature = labelMaturity(labels, training.labels?.newestDay ?? split.newestDay);
  const encode = async (rows: readonly ShardRows[]): Promise<TrainingSet> => {
    const builder = new TrainingSetBuilder(new FeatureEncoder(contract, vocabularies), labels);
    const wanted = [...columnRequirements(contract), ...labelRequirements(labels)];
    for await (const { batch, day, ...place } of readShardRows(rows, wanted)) {
      builder.add(batch, place, isMature(day));
    }
    return builder.build();
  };
  return {
    calibration: await encode(spreadRows(split.training, CALIBRATION_ROWS, CALIBRATION_SLICES)),
    validation: await encode(split.validation),
    goldenRows: await firstGoldenRows(contract, split.validation),
  };
}

/**
 * `wanted` of the rows, in `slices` runs that begin at even distances; all rows if there are no more.
 * @internal exported for tests
 */
export function spreadRows(rows: readonly ShardRows[], wanted: number, slices: number): ShardRows[] {
  const total = countRows(rows);
  if (total <= wanted) return [...rows];
  const starts = Array.from({ length: slices }, (_, slice) => Math.floor((slice * total) / slices));
  return starts.flatMap((from, slice) => {
    const size = Math.floor(((slice + 1) * wanted) / slices) - Math.floor((slice * wanted) / slices);
    let shardStart = 0;
    return rows.flatMap((shard) => {
      const rowStart = shard.rowStart + Math.max(0, from - shardStart);
      const rowEnd = Math.min(shard.rowEnd, shard.rowStart + from + size - shardStart);
      shardStart += shard.rowEnd - shard.rowStart;
      return rowStart < rowEnd ? [{ ...shard, rowStart, rowEnd }] : [];
    });
  });
}

function countRows(rows: readonly ShardRows[]): number {
  return rows.reduce((sum, { rowStart, rowEnd }) => sum + rowEnd - rowStart, 0);
}
