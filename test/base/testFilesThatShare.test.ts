import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testFilesThatShare } from '../support/threads/testFilesThatShare.ts';

const IMPORTS_NOTHING = "it('adds', () => {});";

it.each<
  [
    why: string,
    test: string,
    others: Readonly<Record<string, string>>,
    kind: 'threads' | 'processes' | 'alone',
  ]
>([
  ['nothing that stays', "import { add } from '../lib/add.ts';", { 'lib/add.ts': 'let cached;' }, 'threads'],
  ['a mock', "vi.mock('node:fs');", {}, 'alone'],
  ['a variable of the process', "process.env['HOME'] = '/';", {}, 'alone'],
  ['a variable of the process in what it imports', "import './setsVariable.ts';", {}, 'alone'],
  ['the way that a processor counts', 'await createSession(bytes, { flushDenormals: true });', {}, 'alone'],
  ['a folder that a helper makes', "import './a.ts';\nimport { folder } from './helper.ts';", {}, 'alone'],
  ['the compiler', "import ts from 'typescript';", {}, 'alone'],
  ['a session in what is imported', "import { run } from '../lib/run.ts';", {}, 'processes'],
  ['a thread in what is imported when called', "await import('../lib/start.ts');", {}, 'processes'],
  [
    'a helper that puts back what it sets',
    "import { testEndpoint } from './support/s3/testEndpoint.ts';",
    {},
    'processes',
  ],
  ['a session and a mock', "import { run } from '../lib/run.ts';\nvi.mock('node:fs');", {}, 'alone'],
])('a test file that holds %s', (_, test, others, kind) => {
  const root = temporaryRoot({
    'test/the.test.ts': test,
    'test/helper.ts': 'export const folder = temporaryFolder();',
    'test/setsVariable.ts': "process.env['HOME'] = '/';",
    'test/support/s3/testEndpoint.ts': "process.env['HOME'] = '/';",
    'lib/run.ts': "export { model } from './model.ts';",
    'lib/model.ts': "import ort from 'onnxruntime-node';",
    'lib/start.ts': "import { Worker } from 'node:worker_threads';",
    ...others,
  });
  const { threads, processes } = testFilesThatShare(root);
  expect({ threads, processes }).toEqual({
    threads: kind === 'threads' ? ['test/the.test.ts'] : [],
    processes: kind === 'processes' ? ['test/the.test.ts'] : [],
  });
});

it('files of tests alone are taken', () => {
  const { threads } = testFilesThatShare(
    temporaryRoot({ 'test/a.ts': IMPORTS_NOTHING, 'test/in/b.test.ts': '' }),
  );
  expect(threads).toEqual(['test/in/b.test.ts']);
});

let roots = 0;
const folder = temporaryFolder();
function temporaryRoot(files: Readonly<Record<string, string>>): string {
  const root = join(folder, String(++roots));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}
