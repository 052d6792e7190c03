import { defineConfig } from 'vitest/config';
import { codeVersion } from './scripts/codeVersion.mjs';

/** Tests and benchmarks that need Lambda's runtime; `npm run test:lambda` and `npm run bench:lambda` install it first. */
export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    include: ['test/lambda/**/*.test.ts'],
    benchmark: { include: ['bench/lambda/**/*.bench.ts'] },
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
