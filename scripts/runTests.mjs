// What `npm test` runs: the test files that need a process of their own, then the others in few processes and threads, one after the
// other (test/support/threads/testFilesThatShare.ts). With arguments, one run of what they name, a process or thread a file.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const vitest = join(fileURLToPath(new URL('..', import.meta.url)), 'node_modules/vitest/vitest.mjs');
const given = process.argv.slice(2);
// Vitest's pool of processes isolates all files of a run or none.
const runs =
  given.length > 0
    ? [given]
    : [
        ['--project', 'alone'],
        ['--project', 'processes', '--project', 'threads', '--no-isolate'],
      ];
const codes = runs.map(
  (args) => spawnSync(process.execPath, [vitest, 'run', ...args], { stdio: 'inherit' }).status ?? 1,
);
process.exit(Math.max(...codes));
