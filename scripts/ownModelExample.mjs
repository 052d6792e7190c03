// npm run example:own-model [-- PYTHON]: trains examples/own-model in PyTorch, bundles and scores it, and compares the job's scores with
// PyTorch's. Without a Python that has the packages, they come from PyPI into build/own-model-python.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonEnvironment } from './pythonEnvironment.mjs';

const project = fileURLToPath(new URL('..', import.meta.url));
const example = join(project, 'examples/own-model');
const [given] = process.argv.slice(2);
const python =
  given ??
  join(
    pythonEnvironment('own-model-python', readFileSync(join(example, 'requirements.txt'), 'utf8')),
    'python',
  );
const folder = join(project, 'build/own-model');
rmSync(folder, { recursive: true, force: true });
const [data, model, bundle, scores] = ['data', 'model', 'bundle', 'scores'].map((name) => join(folder, name));
const run = (program, ...args) => execFileSync(program, args, { cwd: project, stdio: 'inherit' });
const ncs4cvr = (...args) => run(process.execPath, join(project, 'dist/lib/cli/main.js'), ...args);

ncs4cvr('synth', '--output', data, '--days', '3', '--rows-per-day', '20000');
run(python, join(example, 'train.py'), data, model);
const [onnx, contract, config] = ['model.onnx', 'contract.json', 'config.json'].map((name) =>
  join(model, name),
);
ncs4cvr(
  ...['bundle', '--onnx', onnx, '--contract', contract, '--config', config],
  ...['--data', data, '--output', bundle],
);
ncs4cvr('score', '--model', bundle, '--input', join(data, 'dt=2024-03-03'), '--output', scores);
ncs4cvr('evaluate', '--model', bundle, '--input', join(data, 'dt=2024-03-03'));
run(python, join(example, 'compare.py'), join(scores, 'part-0.arrow'), join(model, 'torch.parquet'));
