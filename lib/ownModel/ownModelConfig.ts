import { z } from 'zod';
import { decodeCommentedJson } from '../base/commentedJson.ts';
import { parseDocument } from '../base/jsonDocument.ts';
import { type FeatureContract, featureName } from '../features/contract.ts';
import { labelColumnsSchema } from '../features/readLabels.ts';
import { splitSchema } from '../recipe/trainingConfig.ts';
import { readDocument } from '../storage/readDocument.ts';

/** @internal exported for the reference of documents */
export const ownModelConfigSchema = z.strictObject({
  /** Goes into the bundle and every prediction file; a date and checksum by default. */
  modelVersion: z.string().min(1).optional(),
  /**
   * What each of the model's inputs takes, beside each other, in order: features by their names, `FEATURE.missing`,
   * `FEATURE.weights`. An input that isn't listed takes what it is named after.
   */
  inputs: z.record(z.string(), z.array(z.string().min(1)).min(1).readonly()).default({}),
  /** Columns of the labels, if the shards have any: metrics and rates are measured then. */
  labels: labelColumnsSchema.optional(),
  /** Categorical or bucketed features by whose values the reference splits the mean scores. */
  slices: z.array(z.string()).max(10).default([]),
  /** Which rows the bins are fitted on (`train`) and which are compared with; the newest day, or the last fifth of the rows, by default. */
  split: splitSchema.optional(),
});

/** What a bundle of an own model needs beyond its contract. */
export type OwnModelConfig = z.infer<typeof ownModelConfigSchema>;

/**
 * @param document as somebody wrote it
 * @param origin what an error calls it
 * @throws ProblemsError MODEL_CONFIG_INVALID listing every problem
 */
export function parseOwnModelConfig(
  document: unknown,
  contract: FeatureContract,
  origin: string | undefined,
): OwnModelConfig {
  return parseDocument(document, ownModelConfigSchema, {
    code: 'MODEL_CONFIG_INVALID',
    summary: 'the config is invalid',
    ...(origin === undefined ? {} : { file: origin }),
    crossCheck: (config) => (config === undefined ? [] : crossCheck(config, contract)),
  });
}

/** @throws as parseOwnModelConfig */
export async function readOwnModelConfig(uri: string, contract: FeatureContract): Promise<OwnModelConfig> {
  const bytes = await readDocument(uri);
  const document = decodeCommentedJson(bytes, { code: 'MODEL_CONFIG_INVALID', file: uri });
  return parseOwnModelConfig(document, contract, uri);
}

function crossCheck({ slices }: OwnModelConfig, { features }: FeatureContract): string[] {
  const sliceable = features
    .filter(({ kind }) => kind === 'categorical' || kind === 'bucketed')
    .map(featureName);
  return slices
    .filter((name, index) => !sliceable.includes(name) || slices.indexOf(name) < index)
    .map((name) => `slices: '${name}' is no categorical or bucketed feature, or is there twice`);
}
