// trainBundle.mjs CONFIG DATA BUNDLE: trains as `ncs4cvr train` does, and leaves the graph as trained beside the bundle. A bundle
// doesn't hold that graph: its model.onnx is cleaned and pruned, and its embeddings are gathered in front of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { buildPlainGraph } from '../../lib/bundle/buildPlainGraph.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { parseTrainingConfig } from '../../lib/recipe/trainingConfig.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { trainedGraphOf } from './benchBundle.ts';

const [config, data, output] = process.argv.slice(2) as [string, string, string];
const parsed = parseTrainingConfig(JSON.parse(readFileSync(config, 'utf8')), config);
const { bundle, network, masks } = await trainModel(parsed, data, output);
// Masks are folded into the weights: [B, F] row ids in, look-up, pooling and the whole network behind them.
const shape = networkShape(parsed.network, bundle.layout);
writeFileSync(trainedGraphOf(output), buildPlainGraph(shape, network.weights, masks));
