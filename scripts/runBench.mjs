// Runs a benchmark that Vitest can't: one that starts processes of its own and counts their memory, or one without rounds.
// node scripts/runBench.mjs ENTRY [ENTRY...] [-- ARGUMENTS]: bundles the entries below build/bench and runs the first.
import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { codeVersion } from './codeVersion.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const end = given.includes('--') ? given.indexOf('--') : given.length;
const { positionals: entries } = parseArgs({ args: given.slice(0, end), allowPositionals: true });
if (entries.length === 0) throw new Error('expected a file of bench/');
const outdir = join(project, 'build/bench');
await build({
  absWorkingDir: project,
  entryPoints: Object.fromEntries(entries.map((entry) => [basename(entry, '.ts'), entry])),
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  sourcemap: true,
  define: { BUILT_CODE_VERSION: JSON.stringify(codeVersion(project)) },
  logLevel: 'warning',
});
const main = join(outdir, `${basename(entries[0], '.ts')}.mjs`);
const args = ['--enable-source-maps', main, ...given.slice(end + 1)];
process.exitCode = spawnSync(process.execPath, args, { cwd: project, stdio: 'inherit' }).status ?? 1;
