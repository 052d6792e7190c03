import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url));
const folder = temporaryFolder();
const main = join(folder, 'main.js');
const compiled = `${main}.compiled`;

/** Loads the script as a packaged function does, in a process that has compiled nothing like it before. */
function load(): { readonly isRefused: boolean | undefined; readonly answer: number } {
  const program = `const { script, exports } = require('./loadCompiled.cjs').loadScript(${JSON.stringify(main)});
    console.log(JSON.stringify({ isRefused: script.cachedDataRejected, answer: exports.answer() }));`;
  return JSON.parse(execFileSync(process.execPath, ['-e', program], { cwd: folder, encoding: 'utf8' }));
}
const compile = (...flags: string[]) =>
  execFileSync(process.execPath, [...flags, join(scripts, 'compileFunction.cjs'), main]);

beforeEach(() => {
  copyFileSync(join(scripts, 'loadCompiled.cjs'), join(folder, 'loadCompiled.cjs'));
  writeFileSync(main, 'exports.answer = () => 42;\n');
});

it('a script without compiled code is compiled and run', () => {
  expect(load()).toEqual({ answer: 42 });
});

it('V8 takes the code that was compiled when the function was packaged', () => {
  compile();
  expect(load()).toEqual({ isRefused: false, answer: 42 });
});

it('there is code for a Node that lets code collect garbage, which V8 tells from one that does not', () => {
  compile('--expose-gc');
  expect(existsSync(`${main}.gc.compiled`)).toBe(true);
  writeFileSync(compiled, readFileSync(`${main}.gc.compiled`));
  expect(load()).toEqual({ isRefused: true, answer: 42 });
});

it.each([
  ['of another script', () => writeFileSync(main, 'exports.answer = () => 43; // changed since\n'), 43],
  ['that is no code', () => writeFileSync(compiled, Buffer.alloc(5000)), 42],
  ['that is empty', () => writeFileSync(compiled, ''), 42],
])('code %s is refused, and the script itself is run', (_, spoil, answer) => {
  compile();
  spoil();
  expect(load()).toEqual({ isRefused: true, answer });
});
