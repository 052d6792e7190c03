import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { digestOfFiles } from '../../scripts/digestOfFiles.mjs';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const root = temporaryFolder();
const digest = () => digestOfFiles(root, ['lib', 'package.json', 'lock'], ['lib/record']);
const write = (name: string, text: string) => writeFileSync(join(root, name), text);

beforeEach(() => {
  for (const name of ['lib', 'package.json', 'lock'])
    rmSync(join(root, name), { recursive: true, force: true });
  mkdirSync(join(root, 'lib/inner'), { recursive: true });
  write('lib/a.ts', 'one');
  write('lib/inner/b.ts', 'two');
  write('package.json', '{}');
});

it.each<[change: string, make: () => void]>([
  ['a file below a folder', () => write('lib/inner/b.ts', 'six')],
  ['a file by itself', () => write('package.json', '{ }')],
  ['a file more', () => write('lib/c.ts', '')],
  ['a file that was not there', () => write('lock', '')],
  ['a file less', () => rmSync(join(root, 'lib/a.ts'))],
  ['a folder less', () => rmSync(join(root, 'lib'), { recursive: true })],
  ['a name', () => renameSync(join(root, 'lib/a.ts'), join(root, 'lib/c.ts'))],
  [
    'where one file ends and the next begins',
    () => {
      write('lib/a.ts', 'onet');
      write('lib/inner/b.ts', 'wo');
    },
  ],
])('%s is another digest', (_, make) => {
  const before = digest();
  make();
  expect(digest()).not.toBe(before);
});

it('files written again, a file elsewhere and one that is left out change nothing', () => {
  const before = digest();
  write('lib/a.ts', 'one');
  write('elsewhere', 'text');
  write('lib/record', before);
  expect(digest()).toBe(before);
});
