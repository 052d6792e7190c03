// Builds what is deployed: one zip a function, below build/, each with one platform's native files.
// node scripts/package.mjs [--arch arm64|x64] [--node PATH] [--reuse]
// PATH is a Node of Lambda's major version for that architecture, which compiles the code in advance; this one by default.
// With --reuse, zips that were made of the same files stay as they are.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import { zipSync } from 'fflate';
import { codeVersion } from './codeVersion.mjs';
import { digestOfFiles } from './digestOfFiles.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'arm64' },
    node: { type: 'string', default: process.execPath },
    reuse: { type: 'boolean', default: false },
  },
});
const { arch, node } = values;
if (arch !== 'arm64' && arch !== 'x64') throw new Error(`--arch: expected arm64 or x64, found ${arch}`);

/** Packages that load files beside themselves, and what of them a function needs. */
const NATIVE = {
  'onnxruntime-node': ['package.json', 'dist', `bin/napi-v6/linux/${arch}`],
  'onnxruntime-common': ['package.json', 'dist/cjs'],
  'parquet-wasm': ['package.json', 'node'],
};
/** The SDK for S3 is a script of its own: see functions/loadS3Sdk.ts. */
const s3Sdk = 'lib/storage/s3Sdk.ts';
const FUNCTIONS = {
  arrivals: { entries: { main: 'functions/arrivals.ts', s3Sdk }, packages: [] },
  plan: { entries: { main: 'functions/plan.ts', s3Sdk }, packages: ['parquet-wasm'] },
  score: {
    entries: { main: 'functions/score.ts', worker: 'lib/scoring/scoringWorker.ts', s3Sdk },
    packages: ['onnxruntime-node', 'onnxruntime-common', 'parquet-wasm'],
  },
  publish: { entries: { main: 'functions/publish.ts', s3Sdk }, packages: ['parquet-wasm'] },
  freshness: { entries: { main: 'functions/freshness.ts', s3Sdk }, packages: [] },
};
/**
 * What Lambda loads, and the file that threads are started from. Lambda imports the entry as a module of unknown kind, for which
 * Node compiles and scans the text before it runs it; with three megabytes of text that takes as long as everything else until the
 * handler is ready.
 */
const INDEX = "exports.handler = require('./loadCompiled.cjs')('main.js').handler;\n";
/** A cold start's first thread loads beside the function itself: it is started before anything else. */
const SCORE_INDEX = `const { Worker } = require('node:worker_threads');
// Its failure is that of whoever needs a thread.
const thread = new Worker(require('node:path').join(__dirname, 'scoringWorker.js')).on('error', () => {});
const { handler, keepSpareThread } = require('./loadCompiled.cjs')('main.js');
keepSpareThread(thread);
exports.handler = handler;
`;
const SCORING_WORKER = "require('./loadCompiled.cjs')('worker.js');\n";
/** The Node of Lambda's runtime, nodejs24.x. */
const LAMBDA_NODE = 24;
/** Zips of the same content have the same bytes. */
const ZIP_TIME = new Date('2024-01-01T00:00:00Z');
/** A third more time would take a thousandth off. */
const ZIP_LEVEL = 6;
/** What zips are made of: npm's list tells which packages are installed; the rehearsal is one of the tests' helpers. */
const INPUTS = [
  'functions',
  'lib',
  'infra',
  'scripts',
  'test/fixtures',
  'test/support',
  'tsconfig.json',
  'package.json',
  'package-lock.json',
  'node_modules/.package-lock.json',
];
const outputs = Object.keys(FUNCTIONS).flatMap((name) => [`${name}.zip`, `${name}.inputs.json`]);
const record = join(project, 'build', arch, 'made.json');

/** How a function loads other modules than the command does, and a scoring thread others than its function. */
const plugin = (entry) => ({
  name: 'functions',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/loadS3Sdk\.ts$/ }, () => ({ path: join(project, 'functions/loadS3Sdk.ts') }));
    if (entry === 'worker') {
      onResolve({ filter: /^zod$/ }, () => ({ path: join(project, 'functions/noZod.ts') }));
      return;
    }
    // By name, esbuild leaves out what isn't used of zod: two thirds. Of `z` as a whole it can't know.
    onLoad({ filter: /\/(functions|lib)\/[^.]*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace("import { z } from 'zod'", "import * as z from 'zod'"),
      loader: 'ts',
    }));
  },
});

const made = () =>
  JSON.stringify({
    node: [node, versionOfNode()],
    inputs: digestOfFiles(project, INPUTS),
    outputs: digestOfFiles(join(project, 'build', arch), outputs),
  });
if (values.reuse && existsSync(record) && readFileSync(record, 'utf8') === made()) {
  console.log(`build/${arch} was packaged of the same files`);
  process.exit(0);
}
const canCompile =
  versionOfNode().startsWith(`v${LAMBDA_NODE}.`) && versionOfNode().endsWith(` linux ${arch}`);
if (!canCompile) {
  console.log(
    `No code is compiled in advance: ${node} isn't Node ${LAMBDA_NODE} for linux on ${arch} (--node). Cold starts take longer.`,
  );
}
const version = JSON.stringify(codeVersion(project));
const rows = [];
let bundledSdk;
for (const [name, { entries, packages }] of Object.entries(FUNCTIONS)) {
  const folder = join(project, 'build', arch, name);
  rmSync(folder, { recursive: true, force: true });
  const inputs = new Set();
  for (const [entry, path] of Object.entries(entries)) {
    for (const input of await bundle(entry, path, folder)) inputs.add(input);
  }
  cpSync(join(project, 'scripts/loadCompiled.cjs'), join(folder, 'loadCompiled.cjs'));
  writeFileSync(join(folder, 'index.js'), name === 'score' ? SCORE_INDEX : INDEX);
  if ('worker' in entries) writeFileSync(join(folder, 'scoringWorker.js'), SCORING_WORKER);
  for (const each of packages) {
    for (const path of NATIVE[each]) {
      const target = join(folder, 'node_modules', each, path);
      mkdirSync(dirname(target), { recursive: true });
      cpSync(join(project, 'node_modules', each, path), target, { recursive: true, filter: isServed });
    }
  }
  const isCompiled = canCompile && compileInAdvance(name, folder, Object.keys(entries));
  writeFileSync(join(project, 'build', arch, `${name}.inputs.json`), JSON.stringify([...inputs].sort()));
  const files = filesBelow(folder);
  const contents = files.map((file) => [relative(folder, file), [readFileSync(file), { mtime: ZIP_TIME }]]);
  const zip = zipSync(Object.fromEntries(contents), { level: ZIP_LEVEL });
  writeFileSync(join(project, 'build', arch, `${name}.zip`), zip);
  const unzipped = files.reduce((sum, file) => sum + statSync(file).size, 0);
  rows.push({
    function: name,
    arch,
    compiled: isCompiled,
    zipMegabytes: megabytes(zip.length),
    unzippedMegabytes: megabytes(unzipped),
  });
}
writeFileSync(record, made());
console.table(rows);

/** @returns the files that are in it */
async function bundle(entry, path, outdir) {
  // Every function has the same SDK in a script of its own.
  const shared = entry === 's3Sdk' ? bundledSdk : undefined;
  if (shared !== undefined) {
    cpSync(shared.file, join(outdir, 's3Sdk.js'));
    return shared.inputs;
  }
  const { metafile } = await build({
    absWorkingDir: project,
    entryPoints: { [entry]: path },
    outdir,
    bundle: true,
    platform: 'node',
    target: 'node24',
    // CommonJS starts faster than modules.
    format: 'cjs',
    // Not minified: a stack trace at night names our functions and needs no source map.
    legalComments: 'none',
    // The SDK's modules, of which esbuild can leave out parts; by default it takes their CommonJS, and all of it.
    mainFields: ['module', 'main'],
    plugins: [plugin(entry)],
    // As `require`: imported when it is needed, node:http has all of its exports asked for, one of which loads a client of its own.
    supported: { 'dynamic-import': false },
    external: Object.keys(NATIVE),
    define: { 'import.meta.url': 'moduleUrl', BUILT_CODE_VERSION: version },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    metafile: true,
    logLevel: 'warning',
  });
  const inputs = Object.keys(metafile.inputs);
  if (entry === 's3Sdk') bundledSdk = { file: join(outdir, 's3Sdk.js'), inputs };
  return inputs;
}

/** Such as `v24.1.0 linux x64`, and empty where it doesn't run. */
function versionOfNode() {
  try {
    const print = "[process.version, process.platform, process.arch].join(' ')";
    return execFileSync(node, ['-p', print], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return '';
  }
}

/** Lambda may or may not start Node so that code can collect garbage; V8 takes what was compiled under the same flags alone. */
function compileInAdvance(name, folder, entries) {
  if (name === 'score') {
    const rehearsal = ['scripts/runBench.mjs', 'test/support/lambda/rehearseScore.ts', '--', folder, node];
    execFileSync(process.execPath, rehearsal, { cwd: project, stdio: ['ignore', 'ignore', 'inherit'] });
    return true;
  }
  for (const flags of [[], ['--expose-gc']]) {
    for (const entry of entries) {
      const args = [...flags, join(project, 'scripts/compileFunction.cjs'), join(folder, `${entry}.js`)];
      execFileSync(node, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env.PATH } });
    }
  }
  return true;
}

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
