import { concatenated } from '../base/concatenated.ts';
import { BatchGatherer } from '../bundle/batchGatherer.ts';
import { type GatheredModel, SCORING_BATCH_ROWS } from '../bundle/scoringSession.ts';
import { copyEncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { encodeModel, valueInfoOf } from '../onnx/modelProto.ts';
import type { ModelProto } from '../onnx/onnxSchema.ts';
import { createSession, float32Data, float32Tensor } from '../onnx/session.ts';
import type { TrainingSet } from '../training/trainingSet.ts';
import type { Activation } from './activationGrid.ts';

/**
 * Values of tensors of a model on encoded rows, by their names. Memory: 4 bytes per row and column of all of them.
 * @param model with `gathered.inputs` as its inputs
 */
export async function observeActivations(
  model: ModelProto,
  gathered: Pick<GatheredModel, 'inputs' | 'tables'>,
  layout: FeatureLayout,
  set: TrainingSet,
  tensors: readonly string[],
): Promise<Map<string, Activation>> {
  const session = await createSession(encodeModel(observeTensors(model, tensors)));
  const gatherer = new BatchGatherer(gathered.inputs, layout, gathered.tables, SCORING_BATCH_ROWS);
  const pieces = new Map(tensors.map((tensor) => [tensor, [] as Float32Array[]]));
  try {
    for (let start = 0; start < set.rowCount; start += SCORING_BATCH_ROWS) {
      const rowCount = Math.min(SCORING_BATCH_ROWS, set.rowCount - start);
      copyEncodedRows(layout, set.rows, start, start + rowCount, gatherer.rows);
      gatherer.gather(rowCount);
      const feeds = gatherer.inputs.map(
        ({ name, data, width }) => [name, float32Tensor(data, [SCORING_BATCH_ROWS, width])] as const,
      );
      const results = await session.run(Object.fromEntries(feeds));
      for (const [tensor, ofTensor] of pieces) {
        const values = float32Data(results, observedName(tensor));
        ofTensor.push(values.slice(0, (values.length / SCORING_BATCH_ROWS) * rowCount));
      }
    }
  } finally {
    gatherer.release();
    await session.release();
  }
  return new Map(
    [...pieces].map(([tensor, ofTensor]) => {
      const values = concatenated(ofTensor, (length) => new Float32Array(length));
      return [tensor, { columnCount: values.length / set.rowCount, values }];
    }),
  );
}

/** What the output is called that shows a tensor of the graph. @internal exported for tests */
export const observedName = (tensor: string): string => `observed:${tensor}`;

/**
 * The model with further outputs that show float32 [B, columns] tensors of the graph, its inputs among them.
 * @internal exported for tests
 */
export function observeTensors(model: ModelProto, tensors: readonly string[]): ModelProto {
  const { graph } = model;
  const copies = tensors.map((tensor) => ({
    input: [tensor],
    output: [observedName(tensor)],
    name: observedName(tensor),
    opType: 'Identity',
    domain: '',
    attribute: [],
  }));
  const outputs = tensors.map((tensor, index) =>
    valueInfoOf({ name: observedName(tensor), elementType: 'float32', shape: ['B', `columns${index}`] }),
  );
  return {
    ...model,
    graph: { ...graph, node: [...graph.node, ...copies], output: [...graph.output, ...outputs] },
  };
}
