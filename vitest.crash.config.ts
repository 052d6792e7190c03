import { statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { codeVersion } from './scripts/codeVersion.mjs';

const LEAST_BYTES = 2 ** 30;

/**
 * A file system in memory where there is one with room: two thirds of the time on disk is for writes to reach it, which only a
 * loss of power would show, and no case has one.
 */
function fastFolder(): string {
  try {
    const { bavail, bsize } = statfsSync('/dev/shm');
    return bavail * bsize >= LEAST_BYTES ? '/dev/shm' : tmpdir();
  } catch {
    return tmpdir();
  }
}

const LONGEST_FIRST = ['crashMatrix.s3', 'crashMatrix.disk', 'realKills', 'races', 'workerDeaths'];

/** Vitest's pool starts no second process for the last file in the queue: it would wait for the longest one, beside an idle core. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) =>
      LONGEST_FIRST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
    return files.toSorted((a, b) => rank(a) - rank(b));
  }
}

/** Every case of the crash matrix, for `npm run test:crash`; the other tests run a small part of it. */
export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    include: ['test/crash/**/*.test.ts'],
    pool: 'forks',
    poolOptions: { forks: { maxForks: 2 } },
    sequence: { sequencer: LongestFirst },
    env: {
      NCS4CVR_CRASH: 'all',
      TMPDIR: fastFolder(),
      POWERTOOLS_LOG_LEVEL: 'SILENT',
      POWERTOOLS_METRICS_DISABLED: 'true',
    },
    testTimeout: 3_600_000,
    hookTimeout: 180_000,
    reporters: ['verbose'],
  },
});
