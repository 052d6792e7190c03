import { type BundledModel, bundleOwnModel } from '../ownModel/bundleOwnModel.ts';
import { parseOwnModelConfig } from '../ownModel/ownModelConfig.ts';
import { readOwnContract } from '../ownModel/readOwnContract.ts';

/** What `bundleModel` makes a bundle of. */
export interface ModelFiles {
  /** The ONNX file; weights may lie in files beside it. */
  readonly onnxUri: string;
  /** A contract document that says what the model was trained with, or the folder of a bundle that has it. */
  readonly contractUri: string;
  /** What each input takes, labels, slices, split, version (docs/own-model.md), as an object; nothing by default. */
  readonly config?: object;
}

/**
 * Makes a bundle of an ONNX file that was trained elsewhere, as `ncs4cvr bundle` does: matches its inputs with the contract, checks
 * its scores of the data's rows, and writes what `openBundle` opens. Nothing is written of a model that fails a check.
 * @param dataUri folder of Parquet shards, labelled or not, such as the last days that the model was trained on
 * @param outputUri folder of the new bundle
 * @throws ProblemsError MODEL_CONFIG_INVALID, MODEL_INTERFACE, CONTRACT_* with every problem; Ncs4cvrError MODEL_*, GRAPH_*,
 *   BUNDLE_EXISTS, SHARD_*; StorageError
 */
export async function bundleModel(
  { onnxUri, contractUri, config = {} }: ModelFiles,
  dataUri: string,
  outputUri: string,
): Promise<BundledModel> {
  const fitted = await readOwnContract(contractUri);
  const parsed = parseOwnModelConfig(config, fitted.contract, 'the given config');
  return bundleOwnModel({ onnxUri, fitted, config: parsed }, dataUri, outputUri);
}
