import { z } from 'zod';
import { Ncs4cvrError } from '../base/errors.ts';
import { modelFileOf } from '../bundle/bundleManifest.ts';
import type { ModelBundle } from '../bundle/loadBundle.ts';

/** What tells a model from every other one; scores depend on the two digests alone. */
export const modelIdentitySchema = z.strictObject({
  /** The bundle's `modelVersion`. */
  version: z.string(),
  /** Of model.onnx. */
  sha256: z.string(),
  /** Of the fitted contract. */
  contractFingerprint: z.string(),
});
export type ModelIdentity = Readonly<z.infer<typeof modelIdentitySchema>>;

export function modelIdentity({ manifest }: Pick<ModelBundle, 'manifest'>): ModelIdentity {
  return {
    version: manifest.modelVersion,
    sha256: modelFileOf(manifest).sha256,
    contractFingerprint: manifest.contractFingerprint,
  };
}

/** Do both give the same scores? */
export function isSameModel(a: ModelIdentity, b: ModelIdentity): boolean {
  return a.sha256 === b.sha256 && a.contractFingerprint === b.contractFingerprint;
}

/** @throws Ncs4cvrError PLAN_OTHER_MODEL when the bundle at a place isn't the one that was planned with */
export function refuseOtherModel(bundleUri: string, found: ModelIdentity, planned: ModelIdentity): void {
  if (isSameModel(found, planned)) return;
  throw new Ncs4cvrError('PLAN_OTHER_MODEL', "the bundle isn't the model that was planned with", {
    file: bundleUri,
    expected: `${planned.version}, sha256 ${planned.sha256}`,
    found: `${found.version}, sha256 ${found.sha256}`,
  });
}
