// Compiled from kernels/hashKernels.ts by `npm run build:kernels`, which writes this file.

/** A WebAssembly module, in base64: it exports what its source exports, and has a memory of one page. */
export const HASH_KERNELS =
  'AGFzbQEAAAABBwFgA39+fgADAgEABQQBAQEBBxECBGhhc2gAAAZtZW1vcnkCAAqbAQGYAQIBfwF+A0AgACADSwRAIANBAnRBgIACaiABIANBA3QpAwBCz9bTvtLHq9lCfkIfiUKHla+vmLbem55/foVCG4lCh5Wvr5i23puef35CnaO16oOxjYr6AH0iBCAEQiGIhULP1tO+0ser2UJ+IgQgBEIdiIVC+fPd8Zn2masWfiIEIARCIIiFIAKCPgIAIANBAWohAwwBCwsL';
