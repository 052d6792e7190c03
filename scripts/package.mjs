// Builds what is deployed: one zip a function, below build/, each with one platform's native files.
// node scripts/package.mjs [--arch arm64|x64]
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { zipSync } from 'fflate';
import { codeVersion } from './codeVersion.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { arch: { type: 'string', default: 'arm64' } } });
const arch = values.arch;
if (arch !== 'arm64' && arch !== 'x64') throw new Error(`--arch: expected arm64 or x64, found ${arch}`);

/** Packages that load files beside themselves, and what of them a function needs. */
const NATIVE = {
  'onnxruntime-node': ['package.json', 'dist', `bin/napi-v6/linux/${arch}`],
  'onnxruntime-common': ['package.json', 'dist/cjs'],
  'parquet-wasm': ['package.json', 'node'],
};
const FUNCTIONS = {
  arrivals: { entries: { main: 'functions/arrivals.ts' }, packages: [] },
  plan: { entries: { main: 'functions/plan.ts' }, packages: ['parquet-wasm'] },
  score: {
    entries: { main: 'functions/score.ts', scoringWorker: 'lib/scoring/scoringWorker.ts' },
    packages: ['onnxruntime-node', 'onnxruntime-common', 'parquet-wasm'],
  },
  publish: { entries: { main: 'functions/publish.ts' }, packages: ['parquet-wasm'] },
  freshness: { entries: { main: 'functions/freshness.ts' }, packages: [] },
};
/**
 * What Lambda loads. It imports the entry as a module of unknown kind, for which Node compiles and scans the text before it
 * runs it; with three megabytes of text that takes as long as everything else until the handler is ready.
 */
const INDEX = "exports.handler = require('./main.js').handler;\n";
/** Zips of the same content have the same bytes. */
const ZIP_TIME = new Date('2024-01-01T00:00:00Z');

const rows = [];
for (const [name, { entries, packages }] of Object.entries(FUNCTIONS)) {
  const folder = join(project, 'build', arch, name);
  rmSync(folder, { recursive: true, force: true });
  const { metafile } = await build({
    absWorkingDir: project,
    entryPoints: entries,
    outdir: folder,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // CommonJS starts faster than modules.
    format: 'cjs',
    // Not minified: a stack trace at night names our functions and needs no source map.
    legalComments: 'none',
    external: Object.keys(NATIVE),
    define: { 'import.meta.url': 'moduleUrl', BUILT_CODE_VERSION: JSON.stringify(codeVersion(project)) },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    metafile: true,
    logLevel: 'warning',
  });
  writeFileSync(join(folder, 'index.js'), INDEX);
  for (const each of packages) {
    for (const path of NATIVE[each]) {
      const target = join(folder, 'node_modules', each, path);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(project, 'node_modules', each, path), target, { recursive: true, filter: isServed });
    }
  }
  writeFileSync(
    join(project, 'build', arch, `${name}.inputs.json`),
    JSON.stringify(Object.keys(metafile.inputs).sort()),
  );
  const files = filesBelow(folder);
  const contents = files.map((file) => [relative(folder, file), [readFileSync(file), { mtime: ZIP_TIME }]]);
  const zip = zipSync(Object.fromEntries(contents), { level: 9 });
  writeFileSync(join(project, 'build', arch, `${name}.zip`), zip);
  const unzipped = files.reduce((sum, file) => sum + statSync(file).size, 0);
  rows.push({
    function: name,
    arch,
    zipMegabytes: megabytes(zip.length),
    unzippedMegabytes: megabytes(unzipped),
  });
}
console.table(rows);

/** Type declarations and source maps of packages are of no use to a function. */
function isServed(path) {
  return !/\.(d\.ts|d\.cts|d\.mts|map)$/.test(path);
}

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function megabytes(bytes) {
  return Math.round(bytes / 1e5) / 10;
}
