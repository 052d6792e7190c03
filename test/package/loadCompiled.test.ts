import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Script } from 'node:vm';
import { beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const scripts = fileURLToPath(new URL('../../scripts/', import.meta.url));
const folder = temporaryFolder();
const main = join(folder, 'main.js');
const compiled = `${main}.compiled`;

/** Loads the script as a packaged function does. */
function load(): { readonly script: Script; readonly exports: { readonly answer: () => number } } {
  return createRequire(import.meta.url)(join(folder, 'loadCompiled.cjs')).loadScript(main);
}
const compile = (...flags: string[]) =>
  execFileSync(process.execPath, [...flags, join(scripts, 'compileFunction.cjs'), main]);

beforeEach(() => {
  copyFileSync(join(scripts, 'loadCompiled.cjs'), join(folder, 'loadCompiled.cjs'));
  writeFileSync(main, 'exports.answer = () => 42;\n');
});

it('a script without compiled code is run', () => {
  expect(load().exports.answer()).toBe(42);
});

it('V8 takes the code that was compiled when the function was packaged', () => {
  compile();
  const { script, exports } = load();
  expect(script.cachedDataRejected).toBe(false);
  expect(exports.answer()).toBe(42);
});

it('there is code for a Node that lets code collect garbage, which V8 tells from one that does not', () => {
  compile('--expose-gc');
  expect(existsSync(`${main}.gc.compiled`)).toBe(true);
  writeFileSync(compiled, readFileSync(`${main}.gc.compiled`));
  expect(load().script.cachedDataRejected).toBe(true);
});

it.each([
  ['of another script', () => writeFileSync(main, 'exports.answer = () => 43; // changed since\n'), 43],
  ['that is no code', () => writeFileSync(compiled, Buffer.alloc(5000)), 42],
  ['that is empty', () => writeFileSync(compiled, ''), 42],
])('code %s is refused, and the script itself is run', (_, spoil, answer) => {
  compile();
  spoil();
  const { script, exports } = load();
  expect(script.cachedDataRejected).toBe(true);
  expect(exports.answer()).toBe(answer);
});
