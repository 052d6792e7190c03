import { defineConfig } from 'vitest/config';
import { codeVersion } from './scripts/codeVersion.mjs';

export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    include: ['test/**/*.test.ts'],
    // They need Lambda's runtime (vitest.lambda.config.ts), or moto as well (vitest.deploy.config.ts).
    exclude: ['test/lambda/**', 'test/deploy/**'],
    benchmark: { exclude: ['bench/lambda/**', '**/node_modules/**'] },
    // onnxruntime-node and parquet-wasm keep native state per process; forks isolate test files from each other.
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    // The functions' logs would bury the test report.
    setupFiles: ['test/support/threads/reusedThreads.ts'],
    env: { POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
