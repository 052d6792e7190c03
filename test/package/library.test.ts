import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// The package as somebody gets it: packed, and unpacked into an empty folder that has its dependencies and nothing else.
const project = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const installed = join(folder, 'node_modules', 'ncs4cvr');
const examples = [
  ...readFileSync(join(project, 'docs/library.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g),
].map(([, code]) => code!);

async function call(program: string, args: readonly string[], cwd = folder) {
  const { stdout } = await promisify(execFile)(program, args, { cwd, maxBuffer: 2 ** 26 });
  return stdout;
}

/** The package's own command. */
function command(...args: readonly string[]) {
  return call(process.execPath, [join(installed, 'dist/lib/cli/main.js'), ...args]);
}

beforeAll(async () => {
  // dist/ is built already; preparing it again would change it under other tests.
  await call('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], project);
  mkdirSync(installed, { recursive: true });
  await call('tar', ['-xzf', 'ncs4cvr-0.1.0.tgz', '-C', installed, '--strip-components=1']);
  const { dependencies } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(join(folder, 'node_modules', name)), { recursive: true });
    symlinkSync(join(project, 'node_modules', name), join(folder, 'node_modules', name));
  }
  writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
  await command('synth', '--output', 'data', '--days', '3', '--rows-per-day', '2000');
}, 120_000);

describe('the packed package', () => {
  it('runs the examples of docs/library.md, one after the other', async () => {
    expect(examples).toHaveLength(4);
    const outputs: string[] = [];
    for (const [index, code] of examples.entries()) {
      writeFileSync(join(folder, `example${index}.js`), code);
      if (code.includes('plain.onnx')) await command('export', 'model', '--plain', 'plain.onnx');
      outputs.push(await call(process.execPath, [`example${index}.js`]));
    }
    expect(outputs[0]).toMatch(/^validation AUC 0\.\d+\n2000 rows in scores\.arrow\n$/);
    expect(outputs[1]).toContain(join(folder, 'published', 'parts', 'dt=2024-03-03'));
    expect(outputs[1]).toMatch(/\n2000 rows as Parquet in copy\/dt=2024-03-03\n$/);
    expect(outputs[2]).toBe("mine-1 [ '2 files that are no Parquet shards were left out' ]\nown\n");
    expect(outputs[3]).toMatch(/^STORAGE_NOT_FOUND no\/such\/model\/bundle\.json false\n$/);
  }, 120_000);

  it('has types under which they compile strictly', async () => {
    examples.forEach((code, index) => {
      writeFileSync(join(folder, `example${index}.ts`), code);
    });
    const flags = '--noEmit --strict --target ES2022 --module NodeNext --skipLibCheck'.split(' ');
    symlinkSync(join(project, 'node_modules/@types'), join(folder, 'node_modules/@types'));
    const compiler = join(project, 'node_modules/typescript/bin/tsc');
    const job = "{ input: 'a', scores: 'b', model: 'c', partitons: 'none' }";
    const config = `{
  contract: { contractVersion: 1, rowKeys: ['id'], features: [{ kind: 'numeric', column: 'price' }] },
  labels: { click: 'click', conversion: 'bought' },
  split: { by: 'fraction', validation: 0.2 },
}`;
    const training = (text: string) =>
      `import { type TrainingConfigInput, trainNcs } from 'ncs4cvr';\nconst config: TrainingConfigInput = ${text};\nawait trainNcs(config, 'a', 'b');\n`;
    const others = {
      'wrong.ts': "import { plan } from 'ncs4cvr';\nawait plan('not an object');\n",
      'mistyped.ts': `import { type JobInput, plan } from 'ncs4cvr';\nconst job: JobInput = ${job};\nawait plan(job);\n`,
      'config.ts': training(config),
      'mistypedConfig.ts': training(config.replace('conversion:', 'convertion:')),
    };
    for (const [name, text] of Object.entries(others)) writeFileSync(join(folder, name), text);
    const files = [...examples.map((_, index) => `example${index}.ts`), ...Object.keys(others)];
    // All at once: the compiler reads its libraries for seconds, and tells of each file what is wrong with it.
    const { stdout } = await call(process.execPath, [compiler, ...flags, '--types', 'node', ...files]).then(
      () => expect.unreachable('the wrong files compile'),
      (error: { stdout: string }) => error,
    );
    const errors = stdout.split('\n').filter((line) => /^\S/.test(line));
    expect(errors).toEqual([
      expect.stringMatching(/^mistyped\.ts\(.*TS2561.*'partitons'.*'partitions'/),
      expect.stringMatching(/^mistypedConfig\.ts\(.*TS2561.*'convertion'.*'conversion'/),
      expect.stringMatching(/^wrong\.ts\(.*TS2345/),
    ]);
  }, 120_000);

  it('lets nobody import what is not part of it', async () => {
    writeFileSync(join(folder, 'inner.js'), "import 'ncs4cvr/dist/lib/onnx/ops.js';");
    await expect(call(process.execPath, ['inner.js'])).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('is clean for publint', async () => {
    const script = join(project, 'node_modules/publint/src/cli.js');
    expect(await call(process.execPath, [script, 'run', installed, '--strict', '--pack', 'false'])).toContain(
      'All good!',
    );
  }, 60_000);

  it('has types that every resolution of ES modules finds, as are-the-types-wrong says', async () => {
    const script = join(project, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    const report = await call(process.execPath, [
      script,
      'ncs4cvr-0.1.0.tgz',
      '--profile',
      'esm-only',
      '-f',
      'json',
    ]);
    const { problems } = JSON.parse(report) as { problems: Record<string, unknown> };
    expect(Object.keys(problems).filter((kind) => kind !== 'CJSResolvesToESM')).toEqual([]);
  }, 60_000);

  it('documents every function and type that it exports, without a warning of TypeDoc', async () => {
    const script = join(project, 'node_modules/typedoc/bin/typedoc');
    // The sources' types are checked by `npm run check`; here that would take two thirds of the time.
    const options = ['--skipErrorChecking', '--out', join(folder, 'api')];
    await call(process.execPath, [script, ...options], project);
    const page = readFileSync(join(folder, 'api/modules.html'), 'utf8');
    for (const name of [
      'openBundle',
      'scoreShard',
      'trainNcs',
      'plan',
      'publish',
      'publishedFiles',
      'Ncs4cvrError',
    ])
      expect(page).toContain(name);
  }, 120_000);
});
