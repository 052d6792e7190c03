import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { mainScript } from './runMain.ts';

/** As Node fails where the limit of open files is reached while it loads the command's modules: when depends on its threads. */
const HOOK = `export function load(url, context, next) {
  if (!url.endsWith('/startCli.js')) return next(url, context);
  throw Object.assign(new Error("EMFILE: too many open files, open 'x.js'"), { code: 'EMFILE' });
}`;
const asModule = (source: string) => `data:text/javascript,${encodeURIComponent(source)}`;

it('a limit of open files that is too low for the command to start is told of with what to do, without a stack trace', () => {
  const register = `import { register } from 'node:module'; register(${JSON.stringify(asModule(HOOK))});`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', asModule(register), mainScript, '--version'],
    { encoding: 'utf8' },
  );
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toMatch(/^error: the command can't start, since it may open too few files: EMFILE.*\n/);
  expect(stderr).toContain('ulimit -n 1024');
  expect(stderr).not.toMatch(/^ +at /m);
});
