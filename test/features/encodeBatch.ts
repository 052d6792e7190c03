import type { RecordBatch } from 'apache-arrow';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { fittedContract } from './fittedVocabularies.ts';

export function encoderOf(features: readonly object[], tables: object = {}): FeatureEncoder {
  const document = { contractVersion: 1, rowKeys: ['id'], tables, features };
  const { contract, vocabularies } = fittedContract(document);
  return new FeatureEncoder(contract, vocabularies);
}

/** Encodes a batch into memory full of garbage. */
export function encoded(encoder: FeatureEncoder, batch: RecordBatch, start = 0, end = batch.numRows) {
  const rows = allocateEncodedRows(encoder.layout, end - start);
  for (const array of [rows.singleRows, rows.listRows, rows.listWeights, rows.dense]) array.fill(99);
  encoder.encode(batch, start, end, rows, 0);
  const list = ({ length, ...array }: ArrayLike<number>) => Array.from({ ...array, length });
  return {
    singles: list(rows.singleRows),
    lists: list(rows.listRows),
    weights: list(rows.listWeights),
    dense: list(rows.dense),
  };
}

/** As `fittedContract` takes it. */
export const vocabulary = (...values: string[]) => ({ vocabulary: { fitted: { values } } });
