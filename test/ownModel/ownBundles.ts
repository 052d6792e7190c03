import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll } from 'vitest';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import type { FittedContract } from '../../lib/features/fitContract.ts';
import { bundleOwnModel } from '../../lib/ownModel/bundleOwnModel.ts';
import { parseOwnModelConfig } from '../../lib/ownModel/ownModelConfig.ts';
import { readOwnContract } from '../../lib/ownModel/readOwnContract.ts';
import { writeOwnContract } from '../fixtures/ownContract.ts';
import { writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

/** A folder with rows and a contract that own models are bundled with, for the tests of the calling file. */
export function ownBundles() {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  let fitted: FittedContract;
  beforeAll(async () => {
    writeTinyFunnel(data);
    fitted = await readOwnContract(writeOwnContract(folder));
  });
  /** Bundles an ONNX file; `name` is that of the file and of the bundle. */
  const bundled = async (name: string, bytes: Uint8Array, config: object = {}, contract = fitted) => {
    const onnxUri = join(folder, `${name}.onnx`);
    writeFileSync(onnxUri, bytes);
    const parsed = parseOwnModelConfig(config, contract.contract, undefined);
    return bundleOwnModel({ onnxUri, fitted: contract, config: parsed }, data, join(folder, name));
  };
  return { folder, data, layoutOf: () => featureLayout(fitted.contract), bundled };
}
