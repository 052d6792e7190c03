// Runs the Python blocks of docs/reading-scores.md and docs/python.md on scores that the built command has published, with the
// packages of test/python/requirements.txt in an environment of their own; with --mlflow also the section on MLflow, against
// its server. Without a python3 with venv nothing is tested, and the exit code is 0.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { tableFromIPC } from 'apache-arrow';
import { pythonEnvironment } from './pythonEnvironment.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const { mlflow: withMlflow } = parseArgs({ options: { mlflow: { type: 'boolean', default: false } } }).values;
const folder = join(project, 'build/python-pages');
const command = join(project, 'dist/lib/cli/main.js');
const PARTITIONS = ['dt=2024-03-04', 'dt=2024-03-05'];
const MLFLOW_START_MILLIS = 120_000;

/** Of the built command, in the folder of the pages. @returns its stdout */
function ncs4cvr(...args) {
  return execFileSync(process.execPath, [command, ...args, '--quiet'], { cwd: folder, encoding: 'utf8' });
}

/** Data, model, published scores in several parts, and their copy: what the pages start from. */
function fillFolder() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
  symlinkSync(command, join(folder, 'node_modules/.bin/ncs4cvr'));
  symlinkSync(join(project, 'bench'), join(folder, 'bench'));
  ncs4cvr('synth', '--output', 'data', '--days', '5', '--rows-per-day', '20000');
  ncs4cvr('train', 'data/config.json', '--data', 'data', '--output', 'model');
  const at = ['--model', 'model', '--input', 'data', '--scores', 'scores', '--target-rows', '5000'];
  ncs4cvr('plan', ...at, '--from', '2024-03-04', '--output', 'plan.json');
  ncs4cvr('run', '--plan', 'plan.json');
  process.stdout.write(ncs4cvr('export-scores', '--scores', 'scores', '--output', 'copy'));
}

/** Every row of each partition as apache-arrow reads it. */
function publishedRows() {
  const rowsOf = (partition) => {
    const files = ncs4cvr('resolve', '--scores', 'scores', '--partition', partition).trim().split('\n');
    if (files.length < 2)
      throw new Error(`${partition} has one part: a page that reads only the first would pass`);
    const rows = files.flatMap((file) => tableFromIPC(readFileSync(file)).toArray());
    return Object.fromEntries(
      rows.map(({ impression_id: id, pctr, pcvr, pctcvr }) => [String(id), [pctr, pcvr, pctcvr]]),
    );
  };
  return Object.fromEntries(PARTITIONS.map((partition) => [partition, rowsOf(partition)]));
}

function runPage(bin, page, ...options) {
  const script = join(project, 'test/python/runPage.py');
  const args = [script, join(project, 'docs', page), 'expected.json', PARTITIONS.at(-1), ...options];
  const env = { ...process.env, SPARK_LOCAL_IP: '127.0.0.1', PATH: `${bin}${delimiter}${process.env.PATH}` };
  const { status } = spawnSync(join(bin, 'python'), args, { cwd: folder, stdio: 'inherit', env });
  if (status !== 0) throw new Error(`the blocks of docs/${page} don't do what stands there`);
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

/** Runs the section on MLflow against a server of its own, whose files are in the folder of the pages. */
async function runMlflow() {
  const bin = pythonEnvironment('python-mlflow', requirements('requirements-mlflow.txt'));
  const address = ['--host', '127.0.0.1', '--port', String(await freePort())];
  const stores = [
    '--backend-store-uri',
    'sqlite:///mlflow.db',
    '--artifacts-destination',
    'mlflow-artifacts',
  ];
  const args = ['-m', 'mlflow', 'server', ...address, '--workers', '1', ...stores];
  // In a process group of its own: the server starts others.
  const server = spawn(join(bin, 'python'), args, { cwd: folder, stdio: 'ignore', detached: true });
  process.env.MLFLOW_TRACKING_URI = `http://127.0.0.1:${address[3]}`;
  try {
    const giveUpMillis = performance.now() + MLFLOW_START_MILLIS;
    const isReady = () =>
      fetch(`${process.env.MLFLOW_TRACKING_URI}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    while (!(await isReady())) {
      if (server.exitCode !== null || performance.now() > giveUpMillis)
        throw new Error("MLflow's server doesn't start");
      await sleep(500);
    }
    runPage(bin, 'python.md', '--only', 'Call the command', '--only', 'MLflow');
  } finally {
    if (server.exitCode === null) process.kill(-server.pid);
  }
}

const requirements = (file) => readFileSync(join(project, 'test/python', file), 'utf8');

if (spawnSync('python3', ['-c', 'import ensurepip, venv']).status !== 0) {
  console.warn('SKIPPED: there is no python3 with venv, so no line of Python in the docs is tested.');
  process.exit(0);
}
const bin = pythonEnvironment('python', requirements('requirements.txt'));
fillFolder();
writeFileSync(join(folder, 'expected.json'), JSON.stringify(publishedRows()));
runPage(bin, 'reading-scores.md');
runPage(bin, 'python.md', '--without', 'MLflow');
if (withMlflow) await runMlflow();
else console.warn('SKIPPED: the section on MLflow; npm run test:python -- --mlflow tests it too.');
