import { GATHERED_KEY, gatheredDigest } from '../bundle/gatherPlan.ts';
import type { GatheredModel } from '../bundle/scoringSession.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { decodeModel, encodeModel } from '../onnx/modelProto.ts';
import type { TrainingSet } from '../training/trainingSet.ts';
import { findDenseLayers } from './denseLayers.ts';
import { observeActivations } from './observeActivations.ts';
import { quantiseGraph } from './quantiseGraph.ts';
import { separateKinds } from './separateKinds.ts';

/** A flag that a number is missing is 1, which may be so in no calibration row. */
const SET_FLAG = 1;

/**
 * The model with its dense layers in integers; nothing is said of what it is made for yet.
 * @param calibration rows that were trained on
 * @returns undefined for a model without a layer that is worth it
 */
export async function quantiseModel(
  { modelBytes, inputs, tables }: GatheredModel,
  layout: FeatureLayout,
  calibration: TrainingSet,
): Promise<GatheredModel | undefined> {
  const separated = separateKinds({ model: decodeModel(modelBytes), inputs });
  const layers = findDenseLayers(separated.model.graph);
  if (layers.length === 0) return undefined;
  const tensors = [...new Set(layers.flatMap(({ groups }) => groups))];
  const gathered = { inputs: separated.inputs, tables };
  const activations = await observeActivations(separated.model, gathered, layout, calibration, tensors);
  for (const { name, columns, layers } of separated.inputs) {
    const activation = columns.length > 0 && layers === undefined ? activations.get(name) : undefined;
    if (activation !== undefined) activations.set(name, { ...activation, possible: SET_FLAG });
  }
  return { ...gathered, modelBytes: encodeModel(quantiseGraph(separated.model, layers, activations)) };
}

/** The model with the digest of what is gathered for it, in place of another one. */
export function withGatheredDigest(
  model: GatheredModel,
  embeddings: Readonly<Record<string, string>>,
  layout: FeatureLayout,
): GatheredModel {
  const decoded = decodeModel(model.modelBytes);
  const others = (decoded.metadataProps ?? []).filter(({ key }) => key !== GATHERED_KEY);
  const value = gatheredDigest(model.inputs, embeddings, layout);
  return {
    ...model,
    modelBytes: encodeModel({ ...decoded, metadataProps: [...others, { key: GATHERED_KEY, value }] }),
  };
}
