import type { Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { TASKS } from '../../lib/base/tasks.ts';
import type { FeatureLayout } from '../../lib/features/featureLayout.ts';
import { type NetworkConfig, networkConfigSchema } from '../../lib/network/networkConfig.ts';
import type { ModelWeights } from '../../lib/network/networkShape.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import type { TaskMasks } from '../../lib/network/taskMasks.ts';
import { adamNames, adamStepSize, stepSizeInput } from '../../lib/onnx/adam.ts';
import {
  createSession,
  float32Data,
  float32Tensor,
  int64Tensor,
  scalarTensor,
} from '../../lib/onnx/session.ts';
import { EmbeddingLayer, SparseGradient } from '../../lib/training/embeddingLayer.ts';
import { maskFeeds } from '../../lib/training/feeds.ts';
import { buildTrainingGraph } from '../../lib/training/networkGraphs.ts';
import {
  CLICKED_ROWS,
  CTCVR_LABELS,
  CTCVR_WEIGHTS,
  DENSE_INPUT,
  FIELDS,
  FIELDS_GRADIENT,
} from '../../lib/training/tensorNames.ts';
import type { TrainingSet } from '../../lib/training/trainingSet.ts';
import type { TrainingSettings } from '../../lib/training/trainingSettings.ts';
import { naiveLogit, naivePredictions } from '../fixtures/naiveNetwork.ts';
import {
  settingsOf,
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const ROWS = 12;
/** Float32 gradients of order 0.1 through three layers against a double central difference. */
const TOLERANCE = 2e-4;

describe.each([
  { title: 'full cross terms', network: { kind: 'ncs', embeddingWidth: 3, hidden: [6, 4] } },
  {
    title: 'upper cross terms of some fields, masks, soft labels and weighted tasks',
    network: {
      kind: 'ncs',
      embeddingWidth: 3,
      hidden: [6, 4],
      cross: { mode: 'upper', fields: ['l0', 's0', 's2'] },
    },
    density: 0.5,
    soft: true,
    training: { taskWeights: { click: 0.7, conversion: 1.5 } },
  },
  {
    title: 'embedding columns of both tasks and of one, and masks',
    network: { kind: 'ncs', embeddingWidth: 3, privateEmbeddingWidth: 1, hidden: [6, 4] },
    density: 0.7,
  },
  {
    title: 'conversions learned on the entire space',
    network: { kind: 'ncs', embeddingWidth: 3, hidden: [6, 4] },
    density: 0.7,
    training: { entireSpace: { maxPropensityWeight: 1.9, ctcvrWeight: 0.6 } },
  },
  {
    title: 'conversions learned on the entire space, some of them unknown',
    network: { kind: 'ncs', embeddingWidth: 3, hidden: [6, 4] },
    training: { entireSpace: { maxPropensityWeight: 1.9, ctcvrWeight: 0.6 } },
    unknown: true,
  },
  { title: 'a logistic network', network: 'logistic', soft: true },
  {
    title: 'experts of both tasks and of one, gates and towers',
    network: {
      kind: 'experts',
      embeddingWidth: 3,
      hidden: [5, 4],
      shared: 2,
      perTask: 1,
      towers: [3],
      cross: { mode: 'upper', fields: ['l0', 's0'] },
    },
    soft: true,
  },
  {
    title: 'separate experts on separate embeddings',
    network: {
      kind: 'experts',
      embeddingWidth: 2,
      hidden: [5],
      shared: 0,
      perTask: 1,
      embeddings: 'perTask',
    },
  },
])(
  'the gradients of a joint step with $title',
  ({ network, density, soft = false, training = {}, unknown = false }) => {
    it('equal central differences of the two losses, for every parameter and embedding', async () => {
      const config = networkConfigSchema.parse(network);
      const layout = syntheticLayout({ singles: 3, lists: [4, 2], numerics: 1, buckets: 3 });
      const shape = networkShape(config, layout);
      const settings = settingsOf(training);
      const weights = syntheticWeights(shape, 4);
      const masks = density === undefined ? undefined : syntheticMasks(shape, density);
      const set = syntheticRows(layout, ROWS, { soft, seed: 2 });
      const clicked = [...set.click.keys()].filter((row) => set.click[row] === 1);
      if (unknown) for (const row of clicked.slice(1, 3)) set.conversion[row] = Number.NaN;
      const found = await graphGradients(config, layout, settings, weights, set, masks);
      const propensities = naivePredictions(config, layout, weights, set, masks).click;
      const loss = () => naiveLoss(config, layout, settings, weights, set, masks, propensities);
      expect(found.size).toBe(shape.parameters.length + 1);
      for (const [name, gradient] of found) {
        const values = name === 'embeddings' ? weights.embeddings : weights.parameters.get(name)!;
        expect(Math.max(...gradient.map(Math.abs)), name).toBeGreaterThan(1e-3);
        gradient.forEach((slope, i) => {
          const difference = centralDifference(values, i, loss);
          expect(Math.abs(slope - difference), `${name}[${i}]: ${slope}, ${difference}`).toBeLessThan(
            TOLERANCE,
          );
        });
      }
    });
  },
);

/** Gradients by one run of the training graph. From fresh moments the first moment is 0.1 times the gradient. */
async function graphGradients(
  config: NetworkConfig,
  layout: FeatureLayout,
  settings: TrainingSettings,
  weights: ModelWeights,
  set: TrainingSet,
  masks: TaskMasks | undefined,
): Promise<Map<string, number[]>> {
  const shape = networkShape(config, layout);
  const maskMode = masks === undefined ? 'none' : 'given';
  const session = await createSession(buildTrainingGraph({ shape, settings, maskMode, tasks: TASKS }));
  const isLabelled = (row: number) => set.click[row] === 1 && !Number.isNaN(set.conversion[row]);
  const order = [...set.click.keys()].sort((a, b) => Number(isLabelled(b)) - Number(isLabelled(a)));
  const indices = Int32Array.from(order);
  const clicked = order.filter(isLabelled).length;
  const hasCtcvr = (row: number) => set.click[row] === 0 || isLabelled(row);
  const ctcvrWeight = 1 / order.filter(hasCtcvr).length;
  const layer = new EmbeddingLayer(layout, shape.embeddingWidth);
  const fields = new Float32Array(ROWS * shape.fieldNames.length * shape.embeddingWidth);
  layer.gather(weights.embeddings, set.rows, indices, fields);
  const { denseWidth } = layout;
  const dense = order.flatMap((row) => [
    ...set.rows.dense.subarray(row * denseWidth, (row + 1) * denseWidth),
  ]);
  const column = (values: number[]) => float32Tensor(Float32Array.from(values), [values.length, 1]);
  const feeds: Record<string, Tensor> = {
    ...maskFeeds(shape, masks),
    [FIELDS]: float32Tensor(fields, [ROWS, shape.fieldNames.length, shape.embeddingWidth]),
    [DENSE_INPUT]: float32Tensor(Float32Array.from(dense), [ROWS, denseWidth]),
    [CLICKED_ROWS]: int64Tensor([clicked]),
    [stepSizeInput]: scalarTensor(adamStepSize(0.001, 1)),
    'click.labels': column(order.map((row) => set.click[row]!)),
    'click.weights': column(order.map(() => 1 / ROWS)),
    [CTCVR_LABELS]: column(order.map((row) => (isLabelled(row) ? set.conversion[row]! : 0))),
    [CTCVR_WEIGHTS]: column(order.map((row) => (hasCtcvr(row) ? ctcvrWeight : 0))),
    'conversion.labels': column(order.slice(0, clicked).map((row) => set.conversion[row]!)),
    'conversion.weights': column(order.slice(0, clicked).map(() => 1 / clicked)),
  };
  for (const { name, shape: dims } of shape.parameters) {
    const { parameter, firstMoment, secondMoment } = adamNames(name);
    const values = weights.parameters.get(name)!;
    feeds[parameter] = float32Tensor(values, dims);
    feeds[firstMoment] = float32Tensor(new Float32Array(values.length), dims);
    feeds[secondMoment] = float32Tensor(new Float32Array(values.length), dims);
  }
  if (settings.entireSpace === undefined) {
    delete feeds[CTCVR_LABELS];
    delete feeds[CTCVR_WEIGHTS];
  }
  const outputs = await session.run(feeds);
  const embeddings = new SparseGradient(layout.embeddingRowCount, shape.embeddingWidth);
  layer.scatter(float32Data(outputs, FIELDS_GRADIENT), set.rows, indices, embeddings);
  await session.release();
  return new Map([
    ...shape.parameters.map(({ name }) => {
      const { nextFirstMoment } = adamNames(name);
      return [name, [...float32Data(outputs, nextFirstMoment)].map((m) => 10 * m)] as const;
    }),
    ['embeddings', [...embeddings.values]] as const,
  ]);
}

/**
 * The joint loss by its definition: mean over all rows, and over the clicked ones with a known conversion.
 * @param propensities pCTR before the step: they weigh the clicked rows but have no gradient
 */
function naiveLoss(
  config: NetworkConfig,
  layout: FeatureLayout,
  { taskWeights, entireSpace }: TrainingSettings,
  weights: ModelWeights,
  set: TrainingSet,
  masks: TaskMasks | undefined,
  propensities: readonly number[],
): number {
  const entropy = (s: number, y: number) => Math.max(s, 0) - s * y + Math.log1p(Math.exp(-Math.abs(s)));
  const sigmoid = (s: number) => 1 / (1 + Math.exp(-s));
  let click = 0;
  let conversion = 0;
  let conversionWeight = 0;
  let ctcvr = 0;
  let ctcvrRows = 0;
  for (let row = 0; row < set.rowCount; row++) {
    const clickLogit = naiveLogit('click', config, layout, weights, set, row, masks);
    const logit = naiveLogit('conversion', config, layout, weights, set, row, masks);
    click += entropy(clickLogit, set.click[row]!);
    if (set.click[row] === 1 && Number.isNaN(set.conversion[row])) continue;
    ctcvrRows++;
    const p = sigmoid(clickLogit) * sigmoid(logit);
    const converted = set.click[row] === 1 ? set.conversion[row]! : 0;
    ctcvr -= converted * Math.log(p) + (1 - converted) * Math.log(1 - p);
    if (set.click[row] === 0) continue;
    const weight = Math.min(1 / propensities[row]!, entireSpace?.maxPropensityWeight ?? 1);
    conversionWeight += weight;
    conversion += weight * entropy(logit, set.conversion[row]!);
  }
  return (
    (taskWeights.click * click) / set.rowCount +
    (taskWeights.conversion * conversion) / conversionWeight +
    ((entireSpace?.ctcvrWeight ?? 0) * ctcvr) / ctcvrRows
  );
}

function centralDifference(values: Float32Array, index: number, loss: () => number): number {
  const value = values[index]!;
  values[index] = value + 1e-3;
  const high = values[index]!;
  const above = loss();
  values[index] = value - 1e-3;
  const low = values[index]!;
  const below = loss();
  values[index] = value;
  return (above - below) / (high - low);
}
