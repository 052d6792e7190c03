import type { GraphBuilder, Value } from '../onnx/graphBuilder.ts';
import {
  add,
  concat,
  gatherColumns,
  matmul,
  multiply,
  reduceSum,
  relu,
  reshape,
  slice,
  takeRows,
  transposeLast,
} from '../onnx/ops.ts';
import {
  headBiasName,
  headWeightName,
  type NetworkShape,
  trunkBiasName,
  trunkWeightName,
} from './networkShape.ts';
import { TASKS, type Task } from './tasks.ts';

/** What feeds the network (shape legend in networkShape.ts). */
export interface NetworkInputs {
  /** [B, F, E]: embeddings of single-valued fields, then pooled lists. */
  readonly fields: Value;
  /** [B, 2N]; absent without numeric features. */
  readonly dense: Value | undefined;
}

/** How a graph gets its parameters: the training graph masks shared weights, the scoring graph holds folded ones. */
export interface NetworkParameters {
  /** A parameter by its name in NetworkShape. */
  parameter(name: string): Value;
  /** The mask of a trunk layer for a task, same shape as the weight; undefined when it is folded in or all ones. */
  mask(task: Task, layer: number): Value | undefined;
  /** The folded trunk weight of a task; undefined where parameter and mask are used. */
  foldedTrunkWeight?(task: Task, layer: number): Value;
}

/**
 * The one definition of the network, used by the training graph and the scoring graph alike. Layers that two
 * tasks compute from the same input with the same weight are computed once.
 */
export class Network {
  readonly #graph: GraphBuilder;
  readonly #shape: NetworkShape;
  readonly #parameters: NetworkParameters;
  readonly #layers = new Map<string, Value>();

  constructor(graph: GraphBuilder, shape: NetworkShape, parameters: NetworkParameters) {
    this.#graph = graph;
    this.#shape = shape;
    this.#parameters = parameters;
  }

  /** The trunk's input [B, D] (method: cross terms first, then raw embeddings); [B, F x E + 2N] if logistic. */
  inputLayer({ fields, dense }: NetworkInputs): Value {
    const { fieldNames, embeddingWidth } = this.#shape;
    const flat = reshape(this.#graph, fields, ['B', fieldNames.length * embeddingWidth]);
    const parts = [...this.#crossTerms(flat), flat, ...(dense === undefined ? [] : [dense])];
    return parts.length === 1 ? flat : concat(this.#graph, parts, 1);
  }

  /**
   * Logits [B, 1] of one task from the input layer. With `rowCount`, an int64[1] value C, only the first C rows
   * are computed: [C, 1].
   */
  logits(task: Task, input: Value, rowCount?: Value): Value {
    const rows = rowCount === undefined ? input : takeRows(this.#graph, input, rowCount);
    const hidden = this.#shape.config.kind === 'logistic' ? rows : this.#trunk(task, rows);
    return this.#shape.config.kind === 'logistic' ? this.#logistic(task, hidden) : this.#head(task, hidden);
  }

  /** H H^T over the crossed fields, flattened: [B, X^2], or [B, X (X + 1) / 2] of its upper triangle. */
  #crossTerms(flat: Value): Value[] {
    const { config, crossFields, embeddingWidth, fieldNames } = this.#shape;
    if (config.kind === 'logistic' || crossFields.length === 0) return [];
    const graph = this.#graph;
    const count = crossFields.length;
    const isAll = count === fieldNames.length && crossFields.every((field, i) => field === i);
    const columns = crossFields.flatMap((field) =>
      Array.from({ length: embeddingWidth }, (_, i) => field * embeddingWidth + i),
    );
    const chosen = isAll ? flat : gatherColumns(graph, flat, columns);
    const crossed = reshape(graph, chosen, ['B', count, embeddingWidth]);
    const products = matmul(graph, crossed, transposeLast(graph, crossed));
    const all = reshape(graph, products, ['B', count * count]);
    if (config.cross.mode === 'full') return [all];
    const upper: number[] = [];
    for (let i = 0; i < count; i++) for (let j = i; j < count; j++) upper.push(i * count + j);
    return [gatherColumns(graph, all, upper)];
  }

  /** a_i = ReLU(a_{i-1} (W_i * M_i) + b_i); biases are never masked. */
  #trunk(task: Task, input: Value): Value {
    let hidden = input;
    for (let layer = 0; layer + 1 < this.#shape.layerWidths.length; layer++) {
      const weight = this.#trunkWeight(task, layer);
      const key = `${hidden.name} ${weight.name}`;
      const known = this.#layers.get(key);
      if (known !== undefined) {
        hidden = known;
        continue;
      }
      const bias = this.#parameters.parameter(trunkBiasName(layer));
      hidden = relu(this.#graph, add(this.#graph, matmul(this.#graph, hidden, weight), bias));
      this.#layers.set(key, hidden);
    }
    return hidden;
  }

  #trunkWeight(task: Task, layer: number): Value {
    const folded = this.#parameters.foldedTrunkWeight?.(task, layer);
    if (folded !== undefined) return folded;
    const weight = this.#parameters.parameter(trunkWeightName(layer));
    const mask = this.#parameters.mask(task, layer);
    return mask === undefined ? weight : multiply(this.#graph, weight, mask);
  }

  #head(task: Task, hidden: Value): Value {
    const weight = this.#parameters.parameter(headWeightName(task));
    const bias = this.#parameters.parameter(headBiasName(task));
    return add(this.#graph, matmul(this.#graph, hidden, weight), bias);
  }

  /** Column `task` of every field's embedding, summed, plus the dense inputs' own weights. */
  #logistic(task: Task, rows: Value): Value {
    const graph = this.#graph;
    const { fieldNames, denseWidth } = this.#shape;
    const fieldWidth = fieldNames.length * TASKS.length;
    const column = TASKS.indexOf(task);
    const own = fieldNames.map((_, field) => field * TASKS.length + column);
    let logits = reduceSum(graph, gatherColumns(graph, rows, own), [1], true);
    if (denseWidth > 0) {
      const dense = slice(graph, rows, 1, fieldWidth, fieldWidth + denseWidth);
      logits = add(graph, logits, matmul(graph, dense, this.#parameters.parameter(headWeightName(task))));
    }
    return add(graph, logits, this.#parameters.parameter(headBiasName(task)));
  }
}
