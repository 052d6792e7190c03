import { expect, it } from 'vitest';
import { refuseOtherContracts } from '../../bench/quantise/refuseOtherContracts.ts';
import type { ModelBundle } from '../../lib/bundle/loadBundle.ts';

/** As much of a bundle as is looked at. */
const bundle = (uri: string, contractFingerprint: string) =>
  ({ uri, manifest: { contractFingerprint } }) as Pick<ModelBundle, 'uri' | 'manifest'>;

it('bundles of one contract are compared, whatever else tells them apart; all of another one are named', () => {
  const one = bundle('a', 'f1');
  expect(() => refuseOtherContracts([one])).not.toThrow();
  expect(() => refuseOtherContracts([one, bundle('b', 'f1')])).not.toThrow();
  expect(() => refuseOtherContracts([one, bundle('b', 'f2'), bundle('c', 'f1'), bundle('d', 'f3')])).toThrow(
    'expected bundles of one contract, f1 as in a; b has f2, d has f3',
  );
});
