import { CODE_VERSION } from '../base/codeVersion.ts';
import { ProblemsError } from '../base/errors.ts';
import { buildScoringModel } from '../bundle/buildScoringModel.ts';
import { verifyModel } from '../bundle/verifyModel.ts';
import { encodeGoldenRows, writeBundle } from '../bundle/writeBundle.ts';
import { contractFingerprint } from '../features/contract.ts';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { ForwardPass } from '../training/forwardPass.ts';
import { sliceTrainingSet } from '../training/trainingSet.ts';
import { buildReference } from './buildReference.ts';
import { labelsRecord, rowsRecord, type TrainingData } from './encodeData.ts';
import type { TrainingConfig } from './trainingConfig.ts';

/** A model ready to be written, and what its bundle says about its training. */
export interface ModelDraft {
  /** Of the network that is exported, which may combine two that were trained. */
  readonly shape: NetworkShape;
  readonly weights: ModelWeights;
  readonly masks: TaskMasks | undefined;
  readonly metrics: Record<string, unknown>;
  /** What a mask search found, if there was one. */
  readonly record: Record<string, unknown> | undefined;
  /** Of the call that wrote it; of a resumed training the last one. */
  readonly seconds: number;
}

/**
 * Builds model.onnx, checks it against the trainer's own scores of the golden rows, and writes the bundle. A model
 * that fails the check leaves nothing behind.
 * @throws Ncs4cvrError BUNDLE_EXPORT_MISMATCH, BUNDLE_INTERFACE, BUNDLE_EXISTS
 */
export async function exportBundle(
  uri: string,
  data: TrainingData,
  config: TrainingConfig,
  { shape, weights, masks, metrics, record, seconds }: ModelDraft,
): Promise<void> {
  const { contract, vocabularies, goldenRows, split, validationSet } = data;
  const { model, embeddings, multiplyAddsPerRow } = buildScoringModel(shape, weights, masks);
  const goldenSet = sliceTrainingSet(shape.layout, validationSet, 0, goldenRows.numRows);
  const forward = await ForwardPass.create(shape, masks, config.training.threads);
  const goldenBytes = encodeGoldenRows(goldenRows, await forward.predict(weights, goldenSet));
  const reference = await buildReference(data, config.slices, (set, rows) =>
    forward.predict(weights, set, rows),
  );
  await forward.release();
  await verifyModel(model, embeddings, goldenBytes, { contract, vocabularies }, uri).catch(
    (error: unknown) => {
      throw asExportMismatch(error);
    },
  );
  const { contract: _contract, ...configWithoutContract } = config;
  await writeBundle(
    uri,
    {
      modelVersion: config.modelVersion,
      contractFingerprint: contractFingerprint(contract),
      inputs: model.inputs,
      multiplyAddsPerRow,
      network: shape.config,
      labels: config.labels,
      training: {
        ...rowsRecord(data),
        seed: config.training.seed,
        config: configWithoutContract,
        metrics,
        features: [...data.featureCounts],
        labels: labelsRecord(data),
        leaks: data.leaks,
        notes: [...split.notes, ...data.notes],
        ...(record === undefined ? {} : { masks: record }),
        codeVersion: CODE_VERSION,
        finishedAt: new Date().toISOString(),
        seconds,
      },
      contract,
    },
    { model, vocabularies, goldenBytes, reference },
  );
}

/** To whoever loads a bundle another machine scored its golden rows; here it was this one, a moment ago: the two graphs differ. */
function asExportMismatch(error: unknown): unknown {
  if (!(error instanceof ProblemsError) || error.code !== 'BUNDLE_GOLDEN_MISMATCH') return error;
  const { problems, location, expected, found } = error;
  const summary =
    "the model that is exported doesn't give the scores that training had; no bundle is written";
  return new ProblemsError('BUNDLE_EXPORT_MISMATCH', summary, problems, {
    ...location,
    ...(expected === undefined ? {} : { expected }),
    ...(found === undefined ? {} : { found }),
    cause: error,
  });
}
