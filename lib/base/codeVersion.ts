/** Put in when the code is built, packaged or tested; scripts/codeVersion.mjs says of what it is made. */
declare const BUILT_CODE_VERSION: string;

/**
 * Which code this is: package.json's version and a digest of the code, such as `0.1.0+3f2a91c04d7e`. Recorded in bundles,
 * checkpoints, comparisons, plans and logs; never in what is published, whose bytes follow from inputs and model alone.
 */
export const CODE_VERSION: string = BUILT_CODE_VERSION;
