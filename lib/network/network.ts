import { TASKS, type Task } from '../base/tasks.ts';
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
  softmax,
  takeRows,
  transposeLast,
} from '../onnx/ops.ts';
import {
  expertsOf,
  gateBiasName,
  gateWeightName,
  layerBiasName,
  layerWeightName,
  towerName,
} from './expertParameters.ts';
import type { ExpertsNetworkConfig } from './networkConfig.ts';
import {
  embeddingColumns,
  headBiasName,
  headWeightName,
  type NetworkShape,
  trunkBiasName,
  trunkWeightName,
} from './networkShape.ts';

/** What feeds the network (shape legend in networkShape.ts). */
export interface NetworkInputs {
  /** [B, F, E]: embeddings of single-valued fields, then pooled lists; absent where all features are numeric. */
  readonly fields: Value | undefined;
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
  readonly #inputLayers = new Map<string, Value>();
  readonly #layers = new Map<string, Value>();

  constructor(graph: GraphBuilder, shape: NetworkShape, parameters: NetworkParameters) {
    this.#graph = graph;
    this.#shape = shape;
    this.#parameters = parameters;
  }

  /** A task's input [B, D] (method section 2.3: cross terms first, then raw embeddings); [B, F x E + 2N] if logistic. */
  inputLayer(task: Task, inputs: NetworkInputs): Value {
    const key = this.#shape.privateEmbeddingWidth > 0 ? task : 'all';
    const known = this.#inputLayers.get(key);
    if (known !== undefined) return known;
    const layer = this.#buildInput(task, inputs);
    this.#inputLayers.set(key, layer);
    return layer;
  }

  /** Logits [B, 1] of one task. With `rowCount`, an int64[1] value C, only the first C rows are computed: [C, 1]. */
  logits(task: Task, inputs: NetworkInputs, rowCount?: Value): Value {
    const { config } = this.#shape;
    const input = this.inputLayer(task, inputs);
    const rows = rowCount === undefined ? input : takeRows(this.#graph, input, rowCount);
    if (config.kind === 'logistic') return this.#logistic(task, rows);
    return this.#head(task, config.kind === 'ncs' ? this.#trunk(task, rows) : this.#experts(task, rows));
  }

  #buildInput(task: Task, { fields, dense }: NetworkInputs): Value {
    const graph = this.#graph;
    const { fieldNames, embeddingWidth, privateEmbeddingWidth } = this.#shape;
    const width = embeddingWidth - privateEmbeddingWidth;
    // A contract has a feature at least.
    if (fields === undefined) return dense!;
    const flat = reshape(graph, this.#visibleColumns(task, fields), ['B', fieldNames.length * width]);
    const parts = [...this.#crossTerms(flat), flat, ...(dense === undefined ? [] : [dense])];
    return parts.length === 1 ? flat : concat(graph, parts, 1);
  }

  /**
   * What a task sees of every field, [B, F, E]: its own columns, then the shared ones, so that a shared column meets
   * the same weights in both tasks.
   */
  #visibleColumns(task: Task, fields: Value): Value {
    const graph = this.#graph;
    if (this.#shape.privateEmbeddingWidth === 0) return fields;
    const clicks = embeddingColumns(this.#shape, ['click']);
    if (task === 'click') return slice(graph, fields, 2, clicks.from, clicks.to);
    const { from, to } = embeddingColumns(this.#shape, [task]);
    const own = slice(graph, fields, 2, clicks.to, to);
    return from === clicks.to ? own : concat(graph, [own, slice(graph, fields, 2, from, clicks.to)], 2);
  }

  /** H H^T over the crossed fields, flattened: [B, X^2], or [B, X (X + 1) / 2] of its upper triangle. */
  #crossTerms(flat: Value): Value[] {
    const { config, crossFields, fieldNames } = this.#shape;
    if (config.kind === 'logistic' || crossFields.length === 0) return [];
    const { embeddingWidth } = config;
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

  /** The masked trunk. */
  #trunk(task: Task, input: Value): Value {
    let hidden = input;
    for (let layer = 0; layer + 1 < this.#shape.layerWidths.length; layer++) {
      const bias = this.#parameters.parameter(trunkBiasName(layer));
      hidden = this.#layer(hidden, this.#trunkWeight(task, layer), bias);
    }
    return hidden;
  }

  /** A task's experts mixed by its gate, g = softmax(x G + c), and its private layers (Ma et al. 2018, section 4.2). */
  #experts(task: Task, input: Value): Value {
    const graph = this.#graph;
    const config = this.#shape.config as ExpertsNetworkConfig;
    const outputs = expertsOf(task, config).map((name) => this.#stack(name, config.hidden.length, input));
    let mixed = outputs[0]!;
    if (outputs.length > 1) {
      const scores = matmul(graph, input, this.#parameters.parameter(gateWeightName(task)));
      const gate = softmax(graph, add(graph, scores, this.#parameters.parameter(gateBiasName(task))));
      mixed = outputs
        .map((output, i) => multiply(graph, slice(graph, gate, 1, i, i + 1), output))
        .reduce((sum, part) => add(graph, sum, part));
    }
    return this.#stack(towerName(task), config.towers.length, mixed);
  }

  #stack(name: string, layers: number, input: Value): Value {
    let hidden = input;
    for (let layer = 0; layer < layers; layer++) {
      const weight = this.#parameters.parameter(layerWeightName(name, layer));
      hidden = this.#layer(hidden, weight, this.#parameters.parameter(layerBiasName(name, layer)));
    }
    return hidden;
  }

  /** a_i = ReLU(a_{i-1} (W_i * M_i) + b_i), the weight masked already; biases are never masked. */
  #layer(input: Value, weight: Value, bias: Value): Value {
    const key = `${input.name} ${weight.name}`;
    const known = this.#layers.get(key);
    if (known !== undefined) return known;
    const output = relu(this.#graph, add(this.#graph, matmul(this.#graph, input, weight), bias));
    this.#layers.set(key, output);
    return output;
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
    const { fieldNames, layout } = this.#shape;
    const fieldWidth = fieldNames.length * TASKS.length;
    const column = TASKS.indexOf(task);
    const own = fieldNames.map((_, field) => field * TASKS.length + column);
    const terms: Value[] = [];
    if (own.length > 0) terms.push(reduceSum(graph, gatherColumns(graph, rows, own), [1]));
    if (layout.denseWidth > 0) {
      const dense =
        own.length === 0 ? rows : slice(graph, rows, 1, fieldWidth, fieldWidth + layout.denseWidth);
      terms.push(matmul(graph, dense, this.#parameters.parameter(headWeightName(task))));
    }
    const bias = this.#parameters.parameter(headBiasName(task));
    return [...terms, bias].reduce((sum, term) => add(graph, sum, term));
  }
}
