import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SCORING_BATCH_ROWS, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { columnRequirements } from '../../lib/features/columnRequirements.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { labelRequirements } from '../../lib/features/readLabels.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { readShardRows } from '../../lib/recipe/splitShards.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { ForwardPass } from '../../lib/training/forwardPass.ts';
import { TrainingSetBuilder } from '../../lib/training/trainingSet.ts';
import { hasSharedData, sharedData } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const ROWS = 10_000;
const folder = temporaryFolder();
const skipped = hasSharedData ? '' : ' (skipped: ../shared/data is missing)';

describe.skipIf(!hasSharedData)(`real impressions${skipped}`, () => {
  it("model.onnx scores 10,000 rows as the training graph's forward pass does, within 1e-6", async () => {
    const example = JSON.parse(
      readFileSync(new URL('../../examples/kuairand.json', import.meta.url), 'utf8'),
    ) as Record<string, Record<string, unknown>>;
    const config = parseTrainingConfig(
      {
        ...example,
        split: {
          by: 'date',
          train: { from: '2022-04-29', to: '2022-04-29' },
          validation: { from: '2022-04-30', to: '2022-04-30' },
        },
        network: { ...example.network, hidden: [32, 16] },
        training: { ...example.training, epochs: 1, validationsPerEpoch: 1 },
      },
      'kuairand.json',
    );
    const dataUri = `${sharedData}kuairand-pure`;
    const { bundle, network, masks } = await trainModel(config, dataUri, join(folder, 'bundle'));
    // One day of training; about .71 when this was written. A broken column or label would give .5.
    expect(network.best.metrics.click.auc).toBeGreaterThan(0.65);

    const { contract, vocabularies, layout, model } = bundle;
    const builder = new TrainingSetBuilder(new FeatureEncoder(contract, vocabularies), config.labels);
    const uri = `${dataUri}/dt=2022-05-01/part-0.parquet`;
    const wanted = [...columnRequirements(contract), ...labelRequirements(config.labels)];
    for await (const { batch, ...place } of readShardRows([{ uri, rowStart: 0, rowEnd: ROWS }], wanted)) {
      builder.add(batch, place);
    }
    const set = builder.build();
    expect(set.rowCount).toBe(ROWS);
    const forward = await ForwardPass.create(networkShape(config.network, layout), masks, 1);
    const expected = await forward.predict(network.weights, set);
    await forward.release();

    const session = await ScoringSession.create(model, layout);
    let largest = 0;
    for (let start = 0; start < ROWS; start += SCORING_BATCH_ROWS) {
      const count = Math.min(SCORING_BATCH_ROWS, ROWS - start);
      const copy = (name: 'singleRows' | 'listRows' | 'listWeights' | 'dense', width: number) =>
        session.rows[name].set(set.rows[name].subarray(start * width, (start + count) * width));
      copy('singleRows', layout.singles.length);
      copy('listRows', layout.listWidth);
      copy('listWeights', layout.listWidth);
      copy('dense', layout.denseWidth);
      const { pctr, pcvr } = await session.score(count);
      for (let i = 0; i < count; i++) {
        largest = Math.max(largest, Math.abs(pctr[i]! - expected.pctr[start + i]!));
        largest = Math.max(largest, Math.abs(pcvr[i]! - expected.pcvr[start + i]!));
      }
    }
    await session.release();
    // 1.2e-7, one bit, when this was written.
    expect(largest).toBeLessThan(1e-6);
  });
});
