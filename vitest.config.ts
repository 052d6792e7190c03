import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { codeVersion } from './scripts/codeVersion.mjs';
import { filesThatShareThreads } from './test/support/threads/sharedThread.ts';

/** The longest ones; a clean checkout knows no durations. */
const LONGEST_FIRST = [
  'package/package',
  'functions/eventPath',
  'infra/template',
  'package/library',
  'infra/scoringRun',
  'functions/burst',
  'comparison/runComparison',
  'cli/stateMachine',
  'cli/endToEnd',
  'cli/everyCommand',
  'endToEnd/kuairandDays',
  'estimate/countRun',
  'infra/checks',
  'cli/publish',
  'crash/crashMatrix.s3',
  'cli/killedTraining',
  'cli/tutorial',
  'crash/realKills',
];

/** One of them, started when the others are through, would keep a core waiting for half a minute. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const found = LONGEST_FIRST.findIndex((name) => moduleId.endsWith(`/test/${name}.test.ts`));
      return found < 0 ? LONGEST_FIRST.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

// They need Lambda's runtime (vitest.lambda.config.ts), or moto as well (vitest.deploy.config.ts).
const OTHERS = ['test/lambda/**', 'test/deploy/**'];
const shared = filesThatShareThreads(import.meta.dirname);

export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: [...OTHERS, ...shared],
          benchmark: { exclude: ['bench/lambda/**', '**/node_modules/**'] },
          // onnxruntime-node and parquet-wasm keep native state per process; forks isolate test files from each other.
          pool: 'forks',
        },
      },
      {
        extends: true,
        test: {
          name: 'shared',
          include: shared,
          benchmark: { include: [] },
          pool: 'threads',
          // After the others: two pools at a time would be four processes on two cores.
          sequence: { groupOrder: 1 },
        },
      },
    ],
    // Processes of tests wait for others that they start, and for time: a half more than cores, of which a fifth was idle.
    poolOptions: {
      forks: { maxForks: Math.ceil(1.5 * availableParallelism()) },
      threads: { maxThreads: 2, isolate: false },
    },
    sequence: { sequencer: LongestFirst },
    // The functions' logs would bury the test report.
    setupFiles: ['test/support/threads/reusedThreads.ts'],
    env: { POWERTOOLS_LOG_LEVEL: 'SILENT', POWERTOOLS_METRICS_DISABLED: 'true' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
