import { expect, test } from 'vitest';
import { buildPlainGraph } from '../../lib/bundle/buildPlainGraph.ts';
import { plainInputs } from '../../lib/bundle/modelInterface.ts';
import { networkShape, trunkWeightName } from '../../lib/network/networkShape.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import {
  SYNTHETIC_NCS,
  syntheticLayout,
  syntheticMasks,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

test("the graph that the bench's peers run keeps every unit and input, however few connections masks leave", () => {
  const layout = syntheticLayout({});
  const shape = networkShape(SYNTHETIC_NCS, layout);
  const masks = syntheticMasks(shape, 0.02);
  const { graph } = decodeModel(buildPlainGraph(shape, syntheticWeights(shape), masks));
  expect(graph.input.map(({ name }) => name)).toEqual(plainInputs(layout).map(({ name }) => name));
  const sizes = new Map(graph.initializer.map(({ name, dims }) => [name, dims.map(Number)]));
  expect(sizes.get('embeddings')).toEqual([layout.embeddingRowCount, shape.embeddingWidth]);
  const trunk = shape.layerWidths.slice(1).flatMap((width, layer) => {
    const name = trunkWeightName(layer);
    const isShared = Buffer.compare(masks.click[layer]!, masks.conversion[layer]!) === 0;
    const names = isShared ? [name] : [`click.${name}`, `conversion.${name}`];
    return names.map((each) => [each, [shape.layerWidths[layer], width]] as const);
  });
  expect(trunk.length).toBeGreaterThan(shape.layerWidths.length - 1);
  for (const [name, size] of trunk) expect(sizes.get(name), name).toEqual(size);
});
