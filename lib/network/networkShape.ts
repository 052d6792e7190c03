import { Ncs4cvrError } from '../base/errors.ts';
import { TASKS, type Task } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { ParameterShape } from './expertParameters.ts';
import { expertParameters } from './expertParameters.ts';
import type { NetworkConfig } from './networkConfig.ts';

export type { ParameterShape };

/*
 * Shape legend of the network:
 *   B  rows in the batch
 *   F  fields: single-valued ones, then lists (pooled)
 *   E  columns of an embedding that a task sees; P of them are its own
 *   X  fields that take part in the cross interaction
 *   N  numeric features (two dense inputs each)
 *   D  width of a task's input: cross terms, then F x E embeddings, then 2N dense inputs
 *
 * Columns of the embedding matrix: the click task's own ones, the shared ones, the conversion task's own ones.
 */

export interface NetworkShape {
  readonly config: NetworkConfig;
  /** Of the encoded rows that the network reads: what is a field, where its embeddings lie. */
  readonly layout: FeatureLayout;
  readonly fieldNames: readonly string[];
  /** Positions among the F fields of the X fields that are crossed. */
  readonly crossFields: readonly number[];
  /** Columns of the embedding matrix: E + P, or E for each task where embeddings aren't shared. */
  readonly embeddingWidth: number;
  /** P; E where embeddings aren't shared. */
  readonly privateEmbeddingWidth: number;
  /** D */
  readonly inputWidth: number;
  /** D, then the width of every layer that masks apply to. Only D for a network without a shared trunk. */
  readonly layerWidths: readonly number[];
  readonly parameters: readonly ParameterShape[];
}

/**
 * Derives every tensor shape from the contract's layout and the network's configuration.
 * @throws Ncs4cvrError NETWORK_INVALID for a crossed field that doesn't exist
 */
export function networkShape(config: NetworkConfig, layout: FeatureLayout): NetworkShape {
  const fieldNames = [...layout.singles, ...layout.lists].map((field) => field.name);
  const { denseWidth } = layout;
  const common = { config, layout, fieldNames };
  if (config.kind === 'logistic') {
    return {
      ...common,
      crossFields: [],
      embeddingWidth: TASKS.length,
      privateEmbeddingWidth: 0,
      inputWidth: denseWidth,
      layerWidths: [denseWidth],
      parameters: headParameters(denseWidth),
    };
  }
  const crossFields = crossedFields(config.cross, fieldNames);
  const crossed = crossFields.length;
  const crossWidth = config.cross.mode === 'full' ? crossed ** 2 : (crossed * (crossed + 1)) / 2;
  const inputWidth = crossWidth + fieldNames.length * config.embeddingWidth + denseWidth;
  if (config.kind === 'experts') {
    const privateWidth = config.embeddings === 'perTask' ? config.embeddingWidth : 0;
    return {
      ...common,
      crossFields,
      embeddingWidth: config.embeddingWidth + privateWidth,
      privateEmbeddingWidth: privateWidth,
      inputWidth,
      layerWidths: [inputWidth],
      parameters: [
        ...expertParameters(config, inputWidth),
        ...headParameters((config.towers.at(-1) ?? config.hidden.at(-1))!),
      ],
    };
  }
  const layerWidths = [inputWidth, ...config.hidden];
  const trunk = config.hidden.flatMap((width, layer): ParameterShape[] => [
    { name: trunkWeightName(layer), shape: [layerWidths[layer]!, width], role: 'trunk weight' },
    { name: trunkBiasName(layer), shape: [width], role: 'trunk bias' },
  ]);
  return {
    ...common,
    crossFields,
    embeddingWidth: config.embeddingWidth + config.privateEmbeddingWidth,
    privateEmbeddingWidth: config.privateEmbeddingWidth,
    inputWidth,
    layerWidths,
    parameters: [...trunk, ...headParameters(layerWidths.at(-1)!)],
  };
}

/** Input and output width of every trunk layer that masks apply to. */
export function trunkLayers({ layerWidths }: NetworkShape): (readonly [number, number])[] {
  return layerWidths.slice(1).map((width, layer) => [layerWidths[layer]!, width] as const);
}

/** Columns [from, to) of the embedding matrix that a task sees; with P > 0 the others belong to the other task. */
export interface ColumnRange {
  readonly from: number;
  readonly to: number;
}

/** The columns that any of the tasks sees. */
export function embeddingColumns(
  { embeddingWidth, privateEmbeddingWidth }: NetworkShape,
  tasks: readonly Task[],
): ColumnRange {
  return {
    from: tasks.includes('click') ? 0 : privateEmbeddingWidth,
    to: tasks.includes('conversion') ? embeddingWidth : embeddingWidth - privateEmbeddingWidth,
  };
}

export const trunkWeightName = (layer: number): string => `trunk.${layer}.weight`;
export const trunkBiasName = (layer: number): string => `trunk.${layer}.bias`;
export const headWeightName = (task: string): string => `${task}.head.weight`;
export const headBiasName = (task: string): string => `${task}.head.bias`;

function headParameters(width: number): ParameterShape[] {
  return TASKS.flatMap((task): ParameterShape[] => [
    ...(width === 0 ? [] : [{ name: headWeightName(task), shape: [width, 1], role: 'head weight' } as const]),
    { name: headBiasName(task), shape: [1], role: 'head bias' },
  ]);
}

function crossedFields(
  cross: { readonly mode: string; readonly fields?: readonly string[] | undefined },
  fieldNames: readonly string[],
): number[] {
  if (cross.mode === 'none') return [];
  const chosen = cross.fields ?? fieldNames;
  return chosen.map((name) => {
    const position = fieldNames.indexOf(name);
    if (position < 0) {
      throw new Ncs4cvrError('NETWORK_INVALID', `cross.fields names '${name}'`, {
        expected: `one of ${fieldNames.join(', ')}`,
      });
    }
    return position;
  });
}

/** All trainable numbers of a model. */
export interface ModelWeights {
  /** float32 [R, E], row-major. */
  readonly embeddings: Float32Array;
  /** Dense parameters by their name in NetworkShape. */
  readonly parameters: ReadonlyMap<string, Float32Array>;
}
