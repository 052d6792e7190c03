import type { ExpertsNetworkConfig, NcsNetworkConfig } from '../model/networkConfig.ts';

/** A network of experts with the widths and cross terms of an NCS network; no expert but those in `over`. */
export function expertsConfig(
  { embeddingWidth, cross, hidden }: NcsNetworkConfig,
  over: Partial<ExpertsNetworkConfig>,
): ExpertsNetworkConfig {
  return {
    kind: 'experts',
    embeddingWidth,
    cross,
    hidden,
    shared: 0,
    perTask: 0,
    towers: [],
    embeddings: 'shared',
    ...over,
  };
}
