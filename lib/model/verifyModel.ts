import type { FeatureContract } from '../features/contract.ts';
import { featureLayout } from '../features/featureLayout.ts';
import { checkModelInterface } from './checkModelInterface.ts';
import { checkGoldenRows } from './goldenRows.ts';
import { ScoringSession } from './scoringSession.ts';

/**
 * Checks a model as scoring will use it: inputs, outputs and operators, then the scores of its golden rows.
 * @param uri of the bundle, for errors
 * @throws ModelError BUNDLE_INTERFACE, BUNDLE_GOLDEN_MISMATCH
 */
export async function verifyModel(
  modelBytes: Uint8Array,
  goldenBytes: Uint8Array,
  contract: FeatureContract,
  uri: string,
): Promise<void> {
  const layout = featureLayout(contract);
  checkModelInterface(modelBytes, layout, uri);
  const session = await ScoringSession.create(modelBytes, layout);
  try {
    await checkGoldenRows(goldenBytes, contract, session, uri);
  } finally {
    await session.release();
  }
}
