import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';

/**
 * Refuses bundles that don't read the same features: rows that one contract has encoded are other rows to the next, whose scores
 * and times would be told as if they were comparable.
 * @param bundles at least one
 * @throws Error naming every bundle whose contract isn't the first one's
 */
export function refuseOtherContracts(bundles: readonly Pick<ModelBundle, 'uri' | 'manifest'>[]): void {
  const [first, ...others] = bundles;
  const expected = first!.manifest.contractFingerprint;
  const foreign = others.filter(({ manifest }) => manifest.contractFingerprint !== expected);
  if (foreign.length === 0) return;
  const found = foreign.map(({ uri, manifest }) => `${uri} has ${manifest.contractFingerprint}`).join(', ');
  throw new Error(`expected bundles of one contract, ${expected} as in ${first!.uri}; ${found}`);
}
