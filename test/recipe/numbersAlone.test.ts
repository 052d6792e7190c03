import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { plainModel } from '../../lib/bundle/plainModel.ts';
import { gatheredModel, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { createSession, float32Data, float32Tensor } from '../../lib/onnx/session.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { type TrainedModel, trainModel } from '../../lib/recipe/trainModel.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { type ConfigDocument, tinyConfigDocument } from '../fixtures/tinyModel.ts';
import { readTable } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
const data = join(folder, 'data');
const contract = {
  contractVersion: 1,
  rowKeys: ['impression_id'],
  features: [
    { kind: 'numeric', column: 'age' },
    { kind: 'numeric', column: 'hour' },
    { kind: 'numeric', name: 'log_price', column: 'price', log1p: true },
  ],
};

beforeAll(() => {
  writeTinyFunnel(data, { rowsPerDay: 500 });
});

function trained(name: string, over: ConfigDocument = {}): Promise<TrainedModel> {
  const config = parseTrainingConfig({ ...tinyConfigDocument(), contract, ...over }, name);
  return trainModel(config, data, join(folder, name));
}

test.each([
  ['masks that are learned', { masks: { method: 'learned', density: 0.3, epochs: 1 } }],
  ['masks by pruning', { masks: { method: 'imp', rounds: 1, finalDensity: 0.5, epochs: 1 } }],
  [
    'columns of each task',
    { network: { kind: 'ncs', embeddingWidth: 4, privateEmbeddingWidth: 2, hidden: [8] } },
  ],
  [
    'experts',
    { network: { kind: 'experts', embeddingWidth: 4, hidden: [8], shared: 2, perTask: 1, towers: [4] } },
  ],
  ['a logistic regression', { network: { kind: 'logistic', learningRate: 0.05 } }],
])('a contract of numbers alone trains with %s, and its bundle proves itself', async (name, over) => {
  const { bundle } = await trained(name.replaceAll(' ', '-'), over);
  expect(bundle.layout.embeddingRowCount).toBe(0);
});

test('a contract of numbers alone scores shards by what they say, and goes into one ordinary ONNX file', async () => {
  const { bundle } = await trained('ncs');
  const scores = join(folder, 'scores');
  expect(await scoreInput(data, scores, bundle, { workers: 1 })).toMatchObject({ failures: [] });
  const table = readTable(join(scores, 'dt=2024-03-03', 'part-0.arrow'));
  const published = table.getChild('pctr')!.toArray() as Float32Array;
  expect(new Set(published).size).toBeGreaterThan(300);

  const rows = 7;
  const dense = Float32Array.from({ length: rows * 6 }, (_, at) => (at % 2 === 1 ? 0 : Math.sin(at)));
  const session = await ScoringSession.create(bundle.model, bundle.layout);
  const plain = await createSession(plainModel(gatheredModel(bundle.model, 'numbers'), bundle.layout));
  try {
    session.rows.dense.set(dense);
    const { pctr, pcvr } = await session.score(rows);
    const outputs = await plain.run({ dense: float32Tensor(dense, [rows, 6]) });
    const expected = { pctr: [...pctr.subarray(0, rows)], pcvr: [...pcvr.subarray(0, rows)] };
    expect(new Set(expected.pctr).size).toBe(rows);
    for (const name of ['pctr', 'pcvr'] as const) {
      const found = float32Data(outputs, name);
      // The batch shapes differ, and with them the order of sums.
      for (const [row, value] of expected[name].entries()) expect(found[row]).toBeCloseTo(value, 6);
    }
  } finally {
    await session.release();
    await plain.release();
  }
});
