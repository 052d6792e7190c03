import { describe, expect, test } from 'vitest';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { TINY_CONFIG, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

describe('a config with a mask search', () => {
  test('trains a bundle that scores under its masks and records every round and candidate', async () => {
    const { bundle } = await trainTinyModel(folder, {
      config: { masks: { method: 'imp', rounds: 2, finalDensity: 0.3 } },
    });
    // Loading the bundle has re-scored its golden rows: the masks are in model.onnx.
    const { masks } = bundle.manifest.training;
    expect(masks).toMatchObject({
      click: [{ round: 0, density: 1 }, { round: 1 }, { round: 2 }],
      conversion: [{ round: 0, density: 1 }, { round: 1 }, { round: 2 }],
      candidates: [{ round: 0, connections: { dead: 0, clickOnly: 0, conversionOnly: 0 } }, {}, {}],
    });
    expect(masks?.chosenRound).toBeTypeOf('number');
  });

  test('is refused for a logistic regression, which has no connections', () => {
    const document = { ...TINY_CONFIG, network: 'logistic', masks: { method: 'imp' } };
    expect(() => parseTrainingConfig(document, 'x')).toThrow(/masks: a network of kind 'logistic'/);
  });
});
