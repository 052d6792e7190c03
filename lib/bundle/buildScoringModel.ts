import { createHash } from 'node:crypto';
import type { ModelWeights, NetworkShape } from '../network/networkShape.ts';
import type { TaskMasks } from '../network/taskMasks.ts';
import { buildScoringGraph, type ScoringGraph } from './buildScoringGraph.ts';
import { type EmbeddingTable, embeddingFile, tablePieces, tablesOf } from './embeddingTable.ts';
import type { GatheredModel } from './scoringSession.ts';

/** A model to score with, and what its bundle says of it. */
export interface BuiltModel extends Pick<ScoringGraph, 'multiplyAddsPerRow'> {
  /** Its tables are views of the weights. */
  readonly model: GatheredModel;
  /** sha256 of the tables' files, by their paths. */
  readonly embeddings: Readonly<Record<string, string>>;
}

/** Everything that a bundle scores with, made of a trained network. */
export function buildScoringModel(
  shape: NetworkShape,
  weights: ModelWeights,
  masks: TaskMasks | undefined,
): BuiltModel {
  const tables = tablesOf(shape, weights);
  const embeddings = tableDigests(tables);
  const { modelBytes, inputs, multiplyAddsPerRow } = buildScoringGraph(shape, weights, masks, embeddings);
  return { model: { modelBytes, inputs, tables }, embeddings, multiplyAddsPerRow };
}

/** sha256 of the tables' files, by their paths. */
export function tableDigests(tables: readonly EmbeddingTable[]): Record<string, string> {
  return Object.fromEntries(tables.map((table) => [embeddingFile(table.name), digestOf(table)]));
}

function digestOf(table: EmbeddingTable): string {
  const hash = createHash('sha256');
  for (const piece of tablePieces(table)) hash.update(piece);
  return hash.digest('hex');
}
