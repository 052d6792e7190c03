import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { codeVersion } from './scripts/codeVersion.mjs';
import { testFilesThatShare } from './test/support/threads/testFilesThatShare.ts';

/** The longest ones; a clean checkout knows no durations. */
const LONGEST_FIRST = [
  'package/package',
  'functions/eventPath',
  'infra/template',
  'package/library',
  'infra/heldPartition',
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
/** They wait for others that they start, and for time: a half more than cores, of which a fifth was idle. */
const PROCESSES = Math.ceil(1.5 * availableParallelism());
/** Of both, no fewer than at most: tinypool ends an idle one above the least number twice, which fails the run. */
const THREADS = 2;
const share = testFilesThatShare(import.meta.dirname);

export default defineConfig({
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(import.meta.dirname)) },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: [...OTHERS, ...share.threads, ...share.processes],
          benchmark: { exclude: ['bench/lambda/**', '**/node_modules/**'] },
          // A process for each file: they hold mocks, variables of the process, folders that a helper makes.
          pool: 'forks',
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: [...share.processes],
          benchmark: { include: [] },
          pool: 'forks',
        },
      },
      {
        extends: true,
        test: {
          name: 'threads',
          include: [...share.threads],
          benchmark: { include: [] },
          pool: 'threads',
          // After the others: two pools at a time would be four processes on two cores.
          sequence: { groupOrder: 1 },
        },
      },
    ],
    poolOptions: {
      forks: { minForks: PROCESSES, maxForks: PROCESSES },
      threads: { minThreads: THREADS, maxThreads: THREADS, isolate: false },
    },
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/support/threads/reusedThreads.ts', 'test/support/turnBetweenTests.ts'],
    env: {
      // The functions' logs would bury the test report.
      POWERTOOLS_LOG_LEVEL: 'SILENT',
      POWERTOOLS_METRICS_DISABLED: 'true',
      // As storage says before its first client; a test may make another one before, whose warning would come in the midst of a command.
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
