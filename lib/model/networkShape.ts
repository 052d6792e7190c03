import { ModelError } from '../errors.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { NetworkConfig } from './networkConfig.ts';
import { TASKS } from './tasks.ts';

/*
 * Shape legend of the network:
 *   B  rows in the batch
 *   F  fields: single-valued ones, then lists (pooled); E embedding width
 *   X  fields that take part in the cross interaction
 *   N  numeric features (two dense inputs each)
 *   D  width of the trunk's input: cross terms, then F x E embeddings, then 2N dense inputs
 */

/** A dense parameter (trainable tensor outside the embedding matrix). */
export interface ParameterShape {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: 'trunk weight' | 'trunk bias' | 'head weight' | 'head bias';
}

export interface NetworkShape {
  readonly config: NetworkConfig;
  readonly fieldNames: readonly string[];
  /** Positions among the F fields of the X fields that are crossed. */
  readonly crossFields: readonly number[];
  readonly embeddingWidth: number;
  readonly embeddingRowCount: number;
  readonly denseWidth: number;
  /** D */
  readonly inputWidth: number;
  /** D, then the width of every trunk layer. Only D for a network without a trunk. */
  readonly layerWidths: readonly number[];
  readonly parameters: readonly ParameterShape[];
}

/**
 * Derives every tensor shape from the contract's layout and the network's configuration.
 * @throws ModelError NETWORK_INVALID for a contract without embeddings or a crossed field that doesn't exist
 */
export function networkShape(config: NetworkConfig, layout: FeatureLayout): NetworkShape {
  const fieldNames = [...layout.singles, ...layout.lists].map((field) => field.name);
  const { denseWidth, embeddingRowCount } = layout;
  if (fieldNames.length === 0) {
    throw new ModelError('NETWORK_INVALID', 'the network needs a feature with embeddings', {
      expected: 'at least one categorical, bucketed or list feature',
      found: `${layout.numerics.length} numeric ones only`,
    });
  }
  if (config.kind === 'logistic') {
    return {
      config,
      fieldNames,
      crossFields: [],
      embeddingWidth: TASKS.length,
      embeddingRowCount,
      denseWidth,
      inputWidth: denseWidth,
      layerWidths: [denseWidth],
      parameters: headParameters(denseWidth),
    };
  }
  const crossFields = crossedFields(config.cross, fieldNames);
  const crossed = crossFields.length;
  const crossWidth = config.cross.mode === 'full' ? crossed ** 2 : (crossed * (crossed + 1)) / 2;
  const inputWidth = crossWidth + fieldNames.length * config.embeddingWidth + denseWidth;
  const layerWidths = [inputWidth, ...config.hidden];
  const trunk = config.hidden.flatMap((width, layer): ParameterShape[] => [
    { name: trunkWeightName(layer), shape: [layerWidths[layer]!, width], role: 'trunk weight' },
    { name: trunkBiasName(layer), shape: [width], role: 'trunk bias' },
  ]);
  return {
    config,
    fieldNames,
    crossFields,
    embeddingWidth: config.embeddingWidth,
    embeddingRowCount,
    denseWidth,
    inputWidth,
    layerWidths,
    parameters: [...trunk, ...headParameters(layerWidths.at(-1)!)],
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
      throw new ModelError('NETWORK_INVALID', `cross.fields names '${name}'`, {
        expected: `one of ${fieldNames.join(', ')}`,
      });
    }
    return position;
  });
}
