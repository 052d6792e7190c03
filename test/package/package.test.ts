import { execFile } from 'node:child_process';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { writeWhole } from '../../lib/storage/openStorage.ts';
import { joinUri } from '../../lib/storage/uri.ts';
import { codeVersion } from '../../scripts/codeVersion.mjs';
import { funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { expectRows, first, freshPlace, PARTITION } from '../publish/partitionUnderTest.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { planWhole } from '../support/functions/planWhole.ts';
import { packagedFiles, unzipFunction } from '../support/lambda/unzipFunction.ts';
import { putFolder } from '../support/s3/putFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';

const folder = temporaryFolder();

// What is deployed, built anew: the zips' content, and the functions run from it in a folder of their own.
const project = fileURLToPath(new URL('../..', import.meta.url));
const NAMES = ['plan', 'score', 'publish'] as const;
const ARCHS = ['arm64', 'x64'] as const;
const version = codeVersion(project);
const MAX_UNZIPPED_BYTES = 60e6;
const s3 = testEndpoint();

/** Not synchronous: the test runner would take a busy machine's minute for a hang. */
const makePackages = (arch: string, ...options: readonly string[]) =>
  promisify(execFile)(process.execPath, ['scripts/package.mjs', '--arch', arch, ...options], {
    cwd: project,
  });

beforeAll(async () => {
  for (const arch of ARCHS) await makePackages(arch);
}, 120_000);

describe.each(ARCHS.flatMap((arch) => NAMES.map((name) => ({ arch, name }))))(
  '$name for $arch',
  ({ arch, name }) => {
    it('stays below 60 MB unzipped, has an entry, and native files of its own platform only', () => {
      const content = packagedFiles(arch, name);
      const size = Object.values(content).reduce((sum, bytes) => sum + bytes.length, 0);
      expect(size).toBeLessThan(MAX_UNZIPPED_BYTES);
      expect(Object.keys(content)).toContain('index.js');
      const native = Object.keys(content).filter((file) => /\.(node|so(\.\d+)*|dylib|dll)$/.test(file));
      if (name !== 'score') expect(native).toEqual([]);
      else {
        expect(native.length).toBeGreaterThan(1);
        for (const file of native) expect(file).toContain(`linux/${arch}/`);
        // ELF's e_machine: what a name says and a file is may differ.
        const machine = { arm64: 0xb7, x64: 0x3e }[arch];
        for (const file of native) expect(Buffer.from(content[file]!).readUInt16LE(18), file).toBe(machine);
      }
    });

    it("tells its version of the code, the checkout's", () => {
      const { 'main.js': main } = packagedFiles(arch, name);
      expect(Buffer.from(main!).toString()).toContain(`CODE_VERSION = "${version}"`);
    });

    it('holds nothing of training, the command line, its prices, charts or the writer of test shards', () => {
      const inputs = JSON.parse(
        readFileSync(join(project, 'build', arch, `${name}.inputs.json`), 'utf8'),
      ) as string[];
      expect(inputs.some((path) => path.startsWith('lib/publish/'))).toBe(true);
      const foreign =
        /lib\/(training|comparison|synthesis|cli)\/|readPrices|node_modules\/(echarts|commander|parquetjs-lite)\//;
      expect(inputs.filter((path) => foreign.test(path))).toEqual([]);
      // The plan function starts the run behind one that ends; the others start nothing.
      const starts = inputs.some((path) => /lib\/stateMachine\/|@aws-sdk\/client-sfn\//.test(path));
      expect(starts).toBe(name === 'plan');
    });
  },
);

it('the same sources give the same zips, which are made anew for --reuse when one was changed, and then kept', async () => {
  const digest = () => NAMES.map((name) => readFileSync(join(project, 'build/x64', `${name}.zip`)));
  const before = digest();
  appendFileSync(join(project, 'build/x64/plan.zip'), 'changed');
  await makePackages('x64', '--reuse');
  digest().forEach((bytes, i) => {
    expect(bytes.equals(before[i]!), NAMES[i]).toBe(true);
  });
  const { stdout } = await makePackages('x64', '--reuse');
  expect(stdout).toBe('build/x64 was packaged of the same files\n');
});

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the unzipped functions', () => {
  /** Calls a handler in a process that sees nothing of the checkout; `npm run test:lambda` does it as Lambda does. */
  async function invoke(name: string, event: unknown, environment: NodeJS.ProcessEnv): Promise<unknown> {
    const script = `require('./index.js').handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 600000 })
      .then((result) => { console.log('RESULT ' + JSON.stringify(result)); setTimeout(() => process.exit(0), 100); });`;
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', script], {
      cwd: join(folder, 'x64', name),
      env: { ...process.env, ...environment },
    });
    return JSON.parse(/^RESULT (.*)$/m.exec(stdout)![1]!);
  }

  it('plan, score on threads, and publish the bits that `score` gives on local files', async () => {
    for (const name of NAMES) unzipFunction(folder, 'x64', name);
    const { bundle, bundleUri } = await trainTinyModel(join(folder, 'model'));
    const place = freshPlace(`s3://${s3.bucket}`);
    const modelUri = `s3://${s3.bucket}/model`;
    await putFolder(bundleUri, modelUri);
    await writeWhole(joinUri(place.inputUri, PARTITION, 'a.parquet'), funnelShard(first, 60));
    const environment = {
      JOB: JSON.stringify({ input: place.inputUri, scores: place.root, model: modelUri, targetRows: 100 }),
    };
    const [planned, ...others] = await planWhole((step) => invoke('plan', step, environment), {
      partitions: { kind: 'newest' },
    });
    expect(others).toEqual([]);
    const { run, units } = planned!;
    expect(units.length).toBeGreaterThan(1);
    for (const unit of units)
      expect(await invoke('score', unit, environment)).toMatchObject({ partsScored: 1 });
    expect(await invoke('publish', run.item, environment)).toMatchObject({ kind: 'published' });
    await expectRows(place, bundle, first);
    expect(readdirSync(join(folder, 'x64', 'score')).sort()).toEqual([
      'index.js',
      'loadCompiled.cjs',
      'main.js',
      'node_modules',
      's3Sdk.js',
      'scoringWorker.js',
      'worker.js',
    ]);
  }, 60_000);
});
