import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { filesThatShareThreads } from '../support/threads/sharedThread.ts';

const IMPORTS_NOTHING = "it('adds', () => {});";

it.each<[why: string, test: string, others: Readonly<Record<string, string>>, isShared: boolean]>([
  ['nothing that stays', "import { add } from '../lib/add.ts';", { 'lib/add.ts': 'let cached;' }, true],
  ['a mock', "vi.mock('node:fs');", {}, false],
  ['a variable of the process', "process.env['HOME'] = '/';", {}, false],
  ['a folder that a helper makes', "import './a.ts';\nimport { folder } from './helper.ts';", {}, false],
  ['a session in what is imported', "import { run } from '../lib/run.ts';", {}, false],
  ['the compiler', "import ts from 'typescript';", {}, false],
  ['a thread in what is imported when called', "await import('../lib/start.ts');", {}, false],
])('a test file that holds %s', (_, test, others, isShared) => {
  const root = temporaryRoot({
    'test/the.test.ts': test,
    'test/helper.ts': 'export const folder = temporaryFolder();',
    'lib/run.ts': "export { model } from './model.ts';",
    'lib/model.ts': "import ort from 'onnxruntime-node';",
    'lib/start.ts': "import { Worker } from 'node:worker_threads';",
    ...others,
  });
  expect(filesThatShareThreads(root)).toEqual(isShared ? ['test/the.test.ts'] : []);
});

it('files of tests alone are taken', () => {
  expect(
    filesThatShareThreads(temporaryRoot({ 'test/a.ts': IMPORTS_NOTHING, 'test/in/b.test.ts': '' })),
  ).toEqual(['test/in/b.test.ts']);
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
