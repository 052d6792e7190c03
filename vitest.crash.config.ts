import { defineConfig } from 'vitest/config';
import { codeVersion } from './scripts/codeVersion.mjs';

/** Every case of the crash matrix, for `npm run test:crash`; the other tests run a small part of it. */
export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    include: ['test/crash/**/*.test.ts'],
    pool: 'forks',
    poolOptions: { forks: { maxForks: 1 } },
    env: { NCS4CVR_CRASH: 'all', POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' },
    testTimeout: 3_600_000,
    hookTimeout: 180_000,
    reporters: ['verbose'],
  },
});
