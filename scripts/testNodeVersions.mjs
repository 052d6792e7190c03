// Installs the packed package in an empty folder, as its users do, and runs it on this Node and on those of test/nodeVersions:
// every step from making data to reading published scores. All must write the same bytes. npm run test:node
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeOf } from './installNodeVersions.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const OTHERS = ['22', '24'];
const QUIET = ['--no-audit', '--no-fund', '--loglevel', 'error'];
const PARTITION = 'dt=2024-03-03';

// Outside of the project: below it, npm would install into the project.
const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-'));
try {
  const main = installPackage();
  const others = OTHERS.map(nodeOf);
  let expected;
  for (const [i, node] of [process.execPath, ...others].entries()) {
    const started = performance.now();
    const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
    if (i > 0) assert.ok(version.startsWith(`v${OTHERS[i - 1]}.`), version);
    const files = runEveryStep(node, main);
    expected ??= files;
    assert.deepEqual([...files.keys()], [...expected.keys()]);
    for (const [name, bytes] of files)
      assert.ok(bytes.equals(expected.get(name)), `${version}: ${name} differs`);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`Node ${version}: ${files.size} files, all as on Node ${process.version} (${seconds} s)`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** What a Node writes, by name. All read the shards of the first one: scores tell their input's place and version. */
function runEveryStep(node, main) {
  const cli = (...args) =>
    execFileSync(node, [main, ...args], { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const output = join(folder, 'output');
  rmSync(output, { recursive: true, force: true });
  const synth = ['synth', '--days', '3', '--first-date', '2024-03-01', '--rows-per-day', '1000'];
  cli(...synth, '--output', 'output/data');
  if (!existsSync(join(folder, 'data'))) cli(...synth, '--output', 'data');
  cli('train', 'data/config.json', '--data', 'data', '--output', 'output/bundle');
  const labelled = ['--model', 'output/bundle', '--input', `data/${PARTITION}`];
  cli('score', ...labelled, '--output', 'output/local', '--workers', '2');
  const report = cli('evaluate', ...labelled, '--json');
  const place = ['--model', 'output/bundle', '--input', 'data', '--scores', 'output/scores'];
  cli('plan', ...place, '--output', 'output/plan.json');
  cli('run', '--plan', 'output/plan.json');
  const parts = cli('resolve', '--scores', 'output/scores', '--partition', PARTITION).trim().split('\n');
  assert.ok(parts.length > 0 && parts.every((part) => existsSync(part)), `resolve: ${parts.join()}`);

  const files = new Map([['evaluate --json', Buffer.from(report)]]);
  for (const name of readdirSync(output, { recursive: true }).sort()) {
    // They say when.
    const isDated =
      name === 'bundle/bundle.json' ||
      ['scores/pointers/', 'scores/run-records/'].some((folder) => name.startsWith(folder));
    if (!isDated && statSync(join(output, name)).isFile()) files.set(name, readFileSync(join(output, name)));
  }
  for (const name of ['bundle/model.onnx', 'local/part-0.arrow', 'data/truth.json', 'plan.json']) {
    assert.ok(files.has(name), `${name} is missing`);
  }
  return files;
}

/** Packs what is built and installs it; returns the command's script. */
function installPackage() {
  const packed = execFileSync(
    'npm',
    ['pack', ...QUIET, '--json', '--ignore-scripts', '--pack-destination', folder],
    {
      cwd: project,
      encoding: 'utf8',
    },
  );
  const installed = join(folder, 'installed');
  mkdirSync(installed);
  // A list up to npm 11.
  const tarball = join(folder, Object.values(JSON.parse(packed))[0].filename);
  // What `npm ci` has put into npm's cache is taken from there.
  execFileSync('npm', ['install', ...QUIET, '--prefer-offline', tarball], {
    cwd: installed,
    stdio: 'inherit',
  });
  return join(installed, 'node_modules/ncs4cvr/dist/lib/cli/main.js');
}
