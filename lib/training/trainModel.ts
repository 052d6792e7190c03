import type { RecordBatch } from 'apache-arrow';
import { CODE_VERSION } from '../codeVersion.ts';
import { ModelError, TrainingError } from '../errors.ts';
import { columnRequirements, rowKeyRequirements } from '../features/columnRequirements.ts';
import type { FeatureContract } from '../features/contract.ts';
import { FeatureEncoder } from '../features/featureEncoder.ts';
import { contractFingerprint } from '../features/fingerprint.ts';
import { fitContract } from '../features/fitContract.ts';
import { labelRequirements } from '../features/readLabels.ts';
import { loadBundle, type ModelBundle } from '../model/loadBundle.ts';
import { type NetworkShape, networkShape } from '../model/networkShape.ts';
import type { TaskMasks } from '../model/taskMasks.ts';
import type { PerTask } from '../model/tasks.ts';
import { MAX_TENSOR_BYTES } from '../onnx/modelProto.ts';
import { storageFor } from '../storage/openStorage.ts';
import { buildScoringGraph } from './buildScoringGraph.ts';
import { findMasks } from './findMasks.ts';
import { ForwardPass } from './forwardPass.ts';
import { initialWeights } from './modelWeights.ts';
import { type PartBatch, readParts } from './readParts.ts';
import { splitShards } from './splitShards.ts';
import type { TrainingConfig } from './trainingConfig.ts';
import { sliceTrainingSet, type TrainingSet, TrainingSetBuilder } from './trainingSet.ts';
import { type TrainedNetwork, type TrainingProgress, trainNetwork } from './trainNetwork.ts';
import { encodeGoldenRows, refuseExisting, refuseUnwritable, writeBundle } from './writeBundle.ts';

export type TrainingStage = 'fitting' | 'encoding' | 'training' | 'writing';

export interface TrainModelOptions {
  readonly onStage?: (stage: TrainingStage) => void;
  readonly onProgress?: (progress: TrainingProgress) => void;
  /** A line for every step of a mask search. */
  readonly onSearch?: (text: string) => void;
  /** Given masks, when the config asks for no search; every connection shared by default. */
  readonly masks?: TaskMasks;
}

export interface TrainedModel {
  readonly bundle: ModelBundle;
  readonly network: TrainedNetwork;
}

/** Raw rows that a bundle carries to prove, wherever it is loaded, that it scores as it did here. */
const GOLDEN_ROWS = 64;

/**
 * The whole training path: split the shards, fit the contract on the training part, encode both parts, train, and
 * write a bundle, which is then loaded and verified as scoring would.
 */
export async function trainModel(
  config: TrainingConfig,
  dataUri: string,
  outputUri: string,
  { onStage, onProgress, onSearch, masks: givenMasks }: TrainModelOptions = {},
): Promise<TrainedModel> {
  const startMillis = performance.now();
  await refuseExisting(outputUri);
  const split = await splitShards(dataUri, config.split);
  await refuseUnwritable(outputUri);
  onStage?.('fitting');
  const features = columnRequirements(config.contract);
  const contract = await fitContract(config.contract, batchesOf(readParts(split.training, features)));

  const encoder = new FeatureEncoder(contract);
  const { layout } = encoder;
  const shape = networkShape(config.network, layout);
  refuseTooLarge(shape);

  onStage?.('encoding');
  // Row keys too: a bundle whose keys the data lacks would fail on every shard it is to score.
  const wanted = [...features, ...rowKeyRequirements(config.contract), ...labelRequirements(config.labels)];
  const trainingSet = await encodeParts(encoder, config, readParts(split.training, wanted));
  const validationSet = await encodeParts(encoder, config, readParts(split.validation, wanted));

  onStage?.('training');
  const initial = initialWeights(shape, layout, config.training, labelRates(trainingSet, dataUri));
  const options = {
    shape,
    layout,
    settings: config.training,
    initial,
    trainingSet,
    validationSet,
    ...(onProgress === undefined ? {} : { onProgress }),
  };
  const searched = config.masks === undefined ? undefined : await findMasks(options, config.masks, onSearch);
  const masks = searched === undefined ? givenMasks : searched.masks;
  const network = searched?.network ?? (await trainNetwork({ ...options, ...(masks && { masks }) }));

  onStage?.('writing');
  const golden = await goldenRows(contract, readParts(split.validation, features));
  const goldenSet = sliceTrainingSet(layout, validationSet, 0, golden.numRows);
  const forward = await ForwardPass.create(shape, layout, masks, config.training.threads);
  const goldenBytes = encodeGoldenRows(golden, await forward.predict(network.weights, goldenSet));
  await forward.release();
  const { contract: _contract, ...configWithoutContract } = config;
  await writeBundle(
    outputUri,
    {
      modelVersion: config.modelVersion,
      contractFingerprint: contractFingerprint(contract),
      network: config.network,
      labels: config.labels,
      training: {
        data: dataUri,
        trainRows: trainingSet.rowCount,
        validationRows: validationSet.rowCount,
        trainSplit: split.trainingText,
        validationSplit: split.validationText,
        seed: config.training.seed,
        config: configWithoutContract,
        metrics: { best: network.best, validations: network.history.length },
        features: encoder.counts.map((counts) => ({ ...counts })),
        ...(searched === undefined ? {} : { masks: searched.record }),
        codeVersion: CODE_VERSION,
        finishedAt: new Date().toISOString(),
        seconds: (performance.now() - startMillis) / 1000,
      },
      contract,
    },
    buildScoringGraph(shape, layout, network.weights, masks),
    goldenBytes,
  );
  return { bundle: await loadBundle(storageFor(outputUri), outputUri), network };
}

/** Told before the hours of training, and before the memory for its weights is taken. */
function refuseTooLarge({ embeddingRowCount, embeddingWidth, parameters }: NetworkShape): void {
  const sizeOf = (shape: readonly number[]) => 4 * shape.reduce((size, length) => size * length, 1);
  const sizeBytes =
    sizeOf([embeddingRowCount, embeddingWidth]) +
    parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (sizeBytes <= MAX_TENSOR_BYTES) return;
  throw new ModelError('GRAPH_TOO_LARGE', "the weights won't fit into one ONNX file", {
    expected: `at most ${MAX_TENSOR_BYTES} bytes; fewer buckets, larger minCounts or narrower embeddings`,
    found: `${sizeBytes} bytes, with ${embeddingRowCount} embedding rows of width ${embeddingWidth}`,
  });
}

async function* batchesOf(parts: AsyncIterable<PartBatch>): AsyncGenerator<RecordBatch> {
  for await (const { batch } of parts) yield batch;
}

async function encodeParts(
  encoder: FeatureEncoder,
  config: TrainingConfig,
  parts: AsyncIterable<PartBatch>,
): Promise<TrainingSet> {
  const builder = new TrainingSetBuilder(encoder, config.labels);
  for await (const { file, batch } of parts) builder.add(batch, file);
  return builder.build();
}

/** The first rows of the validation part, feature columns only. */
async function goldenRows(contract: FeatureContract, parts: AsyncGenerator<PartBatch>): Promise<RecordBatch> {
  for await (const { batch } of parts) {
    const inBatch = new Set(batch.schema.fields.map(({ name }) => name));
    const columns = [...new Set(contract.features.map(({ column }) => column))];
    return batch.select(columns.filter((name) => inBatch.has(name))).slice(0, GOLDEN_ROWS);
  }
  throw new TrainingError('TRAINING_SPLIT_EMPTY', 'there are no validation rows');
}

/** P(click) and P(conversion | click) of the training rows. */
function labelRates(set: TrainingSet, dataUri: string): PerTask<number> {
  let clicks = 0;
  let conversions = 0;
  for (let row = 0; row < set.rowCount; row++) {
    if (set.click[row] === 0) continue;
    clicks++;
    conversions += set.conversion[row]!;
  }
  if (clicks === 0 || conversions === 0) {
    throw new TrainingError('TRAINING_NO_POSITIVES', 'a task has nothing to learn from', {
      file: dataUri,
      expected: 'clicks and conversions among the training rows',
      found: `${clicks} clicks, ${conversions} conversions in ${set.rowCount} rows`,
    });
  }
  return { click: clicks / set.rowCount, conversion: conversions / clicks };
}
