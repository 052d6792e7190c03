import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { ablateFeatures } from '../../lib/explain/ablateFeatures.ts';
import { allocateEncodedRows, type EncodedRows, sliceEncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { withShard } from '../../lib/parquet/openShard.ts';
import { readRowGroup } from '../../lib/parquet/readRowGroup.ts';
import { type FunnelRow, funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
/** Columns of one feature each that may be null: others are never missing in a shard. */
const NULLABLE = ['user_id', 'device', 'tags', 'age'] as const satisfies readonly (keyof FunnelRow)[];

it('scores the rows that the encoder makes where the feature is missing, and nothing else is', async () => {
  const { contract, vocabularies } = (await trainTinyModel(join(folder, 'model'))).bundle;
  const whole = funnelRows('2024-03-04', 200).find(
    (row) => NULLABLE.every((name) => row[name] !== null) && row.tags!.filter(Boolean).length > 1,
  )!;
  const shard = join(folder, 'shard.parquet');
  writeFileSync(shard, funnelShard([whole, ...NULLABLE.map((name) => ({ ...whole, [name]: null }))], 10));
  const columns = contract.features.map(({ column }) => column);
  const [batch] = await withShard(shard, undefined, (opened) => readRowGroup(opened, 0, columns));
  const encoder = new FeatureEncoder(contract, vocabularies);
  const { layout } = encoder;
  const rowOf = (rows: EncodedRows, row: number) => {
    const { rowCapacity: _, ...values } = sliceEncodedRows(layout, rows, row, row + 1);
    return Object.values(values).map((array) => [...array]);
  };

  const expected = allocateEncodedRows(layout, NULLABLE.length);
  encoder.encode(batch!, 1, 1 + NULLABLE.length, expected, 0);
  const rows = allocateEncodedRows(layout, contract.features.length);
  // Each position's place in the batch stands for its score: which row was scored for which feature.
  const score = async (rowCount: number) => {
    const places = Float32Array.from({ length: rowCount }, (_, at) => at);
    return { pctr: places, pcvr: places, pctcvr: places };
  };
  const session = { rows, score } as unknown as ScoringSession;
  const ablated = await ablateFeatures(encoder, session, batch!, 0, { pctr: 0, pcvr: 0 });
  expect(ablated).toHaveLength(contract.features.length);
  for (const [at, column] of NULLABLE.entries()) {
    const scored = ablated.find(({ feature }) => feature === column)!;
    expect(rowOf(rows, scored.pctr.whenMissing), column).toEqual(rowOf(expected, at));
  }
});
