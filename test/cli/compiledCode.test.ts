import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import nodeModule from 'node:module';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { mainScript } from './runMain.ts';

const folder = temporaryFolder();
/** From Node 22.1 on. */
const canKeep = 'enableCompileCache' in nodeModule;
const { NODE_COMPILE_CACHE: _, ...environment } = process.env;

function version(changes: NodeJS.ProcessEnv): string {
  return execFileSync(process.execPath, [mainScript, '--version'], {
    encoding: 'utf8',
    env: { ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

it.runIf(canKeep)("what V8 has compiled is kept in the user's folder for caches", () => {
  version({ XDG_CACHE_HOME: join(folder, 'xdg') });
  const [ofNode] = readdirSync(join(folder, 'xdg/ncs4cvr/compiled'));
  expect(readdirSync(join(folder, 'xdg/ncs4cvr/compiled', ofNode!)).length).toBeGreaterThan(10);
});

it('a folder that Node itself is given goes before', () => {
  version({ XDG_CACHE_HOME: join(folder, 'unused'), NODE_COMPILE_CACHE: join(folder, 'given') });
  expect(existsSync(join(folder, 'unused'))).toBe(false);
  expect(existsSync(join(folder, 'given'))).toBe(canKeep);
});

it('where nothing can be written, a command runs as ever', () => {
  const file = join(folder, 'file');
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, '');
  expect(version({ XDG_CACHE_HOME: file })).toBe(version({ NODE_DISABLE_COMPILE_CACHE: '1' }));
  expect(version({ XDG_CACHE_HOME: file })).toMatch(/^\d+\.\d+\.\d+/);
});
