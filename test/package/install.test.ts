import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

// docs/decisions/0010-installing.md; `npm run test:node` installs the packed tarball and runs it.
const project = fileURLToPath(new URL('../..', import.meta.url));

/** npm as someone with no settings of their own calls it: not with those of the npm that runs the tests. */
async function npm(program: 'npm' | 'npx', ...args: string[]) {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const env = {
    ...Object.fromEntries(own),
    npm_config_userconfig: devNull,
    npm_config_update_notifier: 'false',
  };
  const shell = process.platform === 'win32';
  const { stdout, stderr } = await promisify(execFile)(program, args, { cwd: project, env, shell });
  return { stdout, stderr };
}

it('npm ci prints no warning: not of engines, and not of settings that npm does not know', async () => {
  const { stderr } = await npm(
    'npm',
    'ci',
    '--dry-run',
    '--ignore-scripts',
    '--offline',
    '--no-audit',
    '--no-fund',
  );
  expect(stderr).toBe('');
});

it('npx ncs4cvr --version prints no warning', async () => {
  const { stdout, stderr } = await npm('npx', '--offline', 'ncs4cvr', '--version');
  expect({ stdout, stderr }).toEqual({
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\+[0-9a-f]{12}\n$/),
    stderr: '',
  });
});

it("no dependency's install script is run by npm ci, whichever version of npm it is", () => {
  const { packages } = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>;
  };
  const withScripts = Object.keys(packages).filter((path) => path !== '' && packages[path]!.hasInstallScript);
  expect(withScripts, 'node scripts/trimLock.mjs').toEqual([]);
});
