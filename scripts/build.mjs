// npm run build: compiles into dist/, unless what is there was made of these very files; the compiler takes seconds to see that
// nothing has changed, and most commands begin with a build.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOfFiles } from './digestOfFiles.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
/** What the compiler and the scripts below read: npm's list tells which packages, and so types, are installed. */
const INPUTS = [
  'functions',
  'lib',
  'examples',
  'infra/prices.json',
  'scripts',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'package-lock.json',
  'node_modules/.package-lock.json',
];
const RECORD = 'dist/.built';

const record = () => digestOfFiles(project, [...INPUTS, 'dist'], [RECORD]);
const file = join(project, RECORD);
if (!existsSync(file) || readFileSync(file, 'utf8') !== record()) {
  run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json');
  for (const name of ['stampCodeVersion', 'copyPrices']) run(`scripts/${name}.mjs`);
  writeFileSync(file, record());
}
run('scripts/linkBin.mjs');

function run(...args) {
  const { status } = spawnSync(process.execPath, args, { cwd: project, stdio: 'inherit' });
  // It has said why.
  if (status !== 0) process.exit(status ?? 1);
}
