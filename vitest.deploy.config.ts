import { defineConfig } from 'vitest/config';
import { codeVersion } from './scripts/codeVersion.mjs';

/** Tests of the packaged stack on a foreign implementation of AWS; `npm run test:deploy` installs that first. */
export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    include: ['test/deploy/**/*.test.ts'],
    pool: 'forks',
    poolOptions: { forks: { maxForks: 1 } },
    // The pinned SDK supports this Node.
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
