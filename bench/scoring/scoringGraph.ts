// What pruning saves: `npm run bench:graph -- BUNDLE SHARD`. The network and contract of a bundle, with random weights and masks
// of several densities, scores real rows by the plain graph (row ids in, everything within) and by the gathered, pruned one.
// CPU time of one thread per row, rounds interleaved. Both are made of the same weights and are compared first.

import { buildPlainGraph } from '../../lib/bundle/buildPlainGraph.ts';
import { buildScoringModel } from '../../lib/bundle/buildScoringModel.ts';
import { trainedNetwork } from '../../lib/bundle/bundleManifest.ts';
import { gatheredWidth, inputWidth } from '../../lib/bundle/gatherPlan.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { SCORING_BATCH_ROWS, ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { columnRequirements } from '../../lib/features/columnRequirements.ts';
import { allocateEncodedRows, type EncodedRows } from '../../lib/features/encodedRows.ts';
import { FeatureEncoder } from '../../lib/features/featureEncoder.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { createSession, float32Data } from '../../lib/onnx/session.ts';
import { readShardRows } from '../../lib/recipe/splitShards.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { tensorsOf } from '../../test/fixtures/plainFeeds.ts';
import { readableTables } from '../../test/fixtures/readableTables.ts';
import { syntheticMasks, syntheticWeights } from '../../test/fixtures/syntheticModel.ts';
import { medianOf } from '../medianOf.ts';

const DENSITIES = [undefined, 0.2, 0.02];
const BATCHES = 40;
const ROUNDS = 7;
const ARRAYS = ['singleRows', 'listRows', 'listWeights', 'dense'] as const;

const [bundleUri, shard] = process.argv.slice(2);
if (bundleUri === undefined || shard === undefined) throw new Error('expected a bundle and a shard');
const { contract, layout, manifest, vocabularies } = await loadBundle(storageFor(bundleUri), bundleUri);
const shape = networkShape(trainedNetwork(manifest)!, layout);
const batches = await readBatches(shard);

for (const density of DENSITIES) {
  const weights = syntheticWeights(shape);
  const masks = density === undefined ? undefined : syntheticMasks(shape, density);
  const { model: built, multiplyAddsPerRow } = buildScoringModel(shape, weights, masks);
  const model = { ...built, tables: readableTables(built.tables) };
  const session = await ScoringSession.create(model, layout);
  const plain = await createSession(buildPlainGraph(shape, weights, masks));
  const ways = {
    plain: async (rows: EncodedRows) => {
      const outputs = await plain.run(tensorsOf(layout, rows, SCORING_BATCH_ROWS));
      return float32Data(outputs, 'pcvr');
    },
    pruned: async (rows: EncodedRows) => {
      for (const name of ARRAYS) session.rows[name].set(rows[name]);
      return (await session.score(SCORING_BATCH_ROWS)).pcvr;
    },
  };
  let largest = 0;
  for (const rows of batches) {
    const [a, b] = [(await ways.plain(rows)).slice(), await ways.pruned(rows)];
    a.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value - b[i]!));
    });
  }
  const times: Record<keyof typeof ways, number[]> = { plain: [], pruned: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of ['plain', 'pruned'] as const) {
      const started = process.cpuUsage();
      for (const rows of batches) await ways[way](rows);
      const { user, system } = process.cpuUsage(started);
      times[way].push((user + system) / (batches.length * SCORING_BATCH_ROWS));
    }
  }
  await session.release();
  await plain.release();
  const lowest = (values: number[]) => Math.min(...values);
  console.log(
    `density ${density ?? 1}: ${multiplyAddsPerRow.trained} multiply-adds per row as trained, ${multiplyAddsPerRow.scored} scored; ` +
      `CPU-us per row: plain ${medianOf(times.plain).toFixed(2)} (lowest ${lowest(times.plain).toFixed(2)}), ` +
      `pruned ${medianOf(times.pruned).toFixed(2)} (${lowest(times.pruned).toFixed(2)}); ` +
      `columns gathered ${model.inputs.map(gatheredWidth).join(' + ')}, given to the graph ${model.inputs.map(inputWidth).join(' + ')}; ` +
      `largest difference ${largest.toExponential(1)}`,
  );
}

async function readBatches(uri: string): Promise<EncodedRows[]> {
  const encoder = new FeatureEncoder(contract, vocabularies);
  const found: EncodedRows[] = [];
  const range = { uri, rowStart: 0, rowEnd: BATCHES * SCORING_BATCH_ROWS };
  for await (const { batch } of readShardRows([range], columnRequirements(contract))) {
    for (let start = 0; start + SCORING_BATCH_ROWS <= batch.numRows; start += SCORING_BATCH_ROWS) {
      const rows = allocateEncodedRows(layout, SCORING_BATCH_ROWS);
      encoder.encode(batch, start, start + SCORING_BATCH_ROWS, rows, 0);
      found.push(rows);
    }
  }
  return found;
}
