import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { unzipSync } from 'fflate';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PlannedRun } from '../../functions/planRun.ts';
import { scoreInput } from '../../lib/scoring/scoreInput.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { funnelRows, funnelShard } from '../fixtures/tinyFunnel.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import { publishedBits } from '../publish/publishedBits.ts';
import { filesBelow } from '../scoring/filesBelow.ts';
import { scoreBits } from '../scoring/readScores.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';
import { testEndpoint } from '../support/s3/testEndpoint.ts';
import { XrayDaemon } from '../support/xray/xrayDaemon.ts';

// What is deployed, built anew: the zips' content, and the functions run from it in a folder of their own.
const project = fileURLToPath(new URL('../..', import.meta.url));
const NAMES = ['plan', 'score', 'publish'] as const;
const ARCHS = ['arm64', 'x64'] as const;
const MAX_UNZIPPED_BYTES = 60e6;
const folder = temporaryFolder();
const s3 = testEndpoint();

const contentOf = (arch: string, name: string) =>
  unzipSync(readFileSync(join(project, 'build', arch, `${name}.zip`)));

/** Not synchronous: the test runner would take a busy machine's minute for a hang. */
const makePackages = (arch: string) =>
  promisify(execFile)(process.execPath, ['scripts/package.mjs', '--arch', arch], { cwd: project });

beforeAll(async () => {
  for (const arch of ARCHS) await makePackages(arch);
}, 120_000);

describe.each(ARCHS.flatMap((arch) => NAMES.map((name) => ({ arch, name }))))(
  '$name for $arch',
  ({ arch, name }) => {
    it('stays below 60 MB unzipped, has an entry, and native files of its own platform only', () => {
      const content = contentOf(arch, name);
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

    it('holds nothing of training, the command line, its prices, charts or the writer of test shards', () => {
      const inputs = JSON.parse(
        readFileSync(join(project, 'build', arch, `${name}.inputs.json`), 'utf8'),
      ) as string[];
      expect(inputs.some((path) => path.startsWith('lib/publish/'))).toBe(true);
      const foreign =
        /lib\/(training|comparison|synthesis|cli|stateMachine)\/|readPrices|node_modules\/(echarts|commander|parquetjs-lite|@aws-sdk\/client-sfn)\//;
      expect(inputs.filter((path) => foreign.test(path))).toEqual([]);
    });
  },
);

it('the same sources give the same zips', async () => {
  const digest = () => NAMES.map((name) => readFileSync(join(project, 'build/x64', `${name}.zip`)));
  const before = digest();
  await makePackages('x64');
  digest().forEach((bytes, i) => {
    expect(bytes.equals(before[i]!), NAMES[i]).toBe(true);
  });
});

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('the unzipped functions', () => {
  /** Calls a handler in a process that sees nothing of the checkout. */
  function invoke(name: string, event: unknown, environment: NodeJS.ProcessEnv): Promise<unknown> {
    const script = `const { handler } = require('./index.js');
      handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 600000 }).then(
        (result) => { console.log('RESULT ' + JSON.stringify(result)); setTimeout(() => process.exit(0), 100); },
        (error) => { console.error(error); process.exit(1); });`;
    return new Promise((resolve, reject) => {
      const env = { ...process.env, ...environment };
      const child = spawn(process.execPath, ['-e', script], { cwd: join(folder, name), env });
      let [out, err] = ['', ''];
      child.stdout.on('data', (data) => {
        out += data;
      });
      child.stderr.on('data', (data) => {
        err += data;
      });
      child.on('close', (code) => {
        const line = out.split('\n').find((each) => each.startsWith('RESULT '));
        if (code === 0 && line !== undefined) resolve(JSON.parse(line.slice('RESULT '.length)));
        else reject(new Error(err || out));
      });
    });
  }

  it('plan, score on threads, and publish the bits that `score` gives on local files', async () => {
    for (const name of NAMES) {
      for (const [file, bytes] of Object.entries(contentOf('x64', name))) {
        mkdirSync(dirname(join(folder, name, file)), { recursive: true });
        writeFileSync(join(folder, name, file), bytes);
      }
    }
    const { bundle, bundleUri } = await trainTinyModel(join(folder, 'model'));
    const bucket = s3.double!.buckets.get(s3.bucket)!;
    for (const file of filesBelow(bundleUri))
      bucket.put(`model/${file}`, readFileSync(join(bundleUri, file)), {}, {});
    const shard = Buffer.from(funnelShard(funnelRows('2024-03-09', 300), 60));
    bucket.put('features/dt=2024-03-09/a.parquet', shard, {}, {});
    writeFileSync(join(folder, 'a.parquet'), shard);
    await scoreInput(join(folder, 'a.parquet'), join(folder, 'a.arrow'), bundle, { workers: 1 });
    const daemon = await XrayDaemon.start();
    const environment = {
      INPUT_URI: `s3://${s3.bucket}/features`,
      SCORES_URI: `s3://${s3.bucket}/scores`,
      MODEL_URI: `s3://${s3.bucket}/model`,
      TARGET_ROWS: '100',
      ...daemon.environment,
    };
    const run = { partitions: { kind: 'newest' } };
    const planned = (await invoke('plan', run, environment)) as PlannedRun;
    const readJson = async ({ bucket: from, key }: PlannedRun['units']) => {
      const uri = `s3://${from}/${key}`;
      return JSON.parse(Buffer.from(await storageFor(uri).readWhole(uri)).toString());
    };
    const units = await readJson(planned.units);
    expect(units.length).toBeGreaterThan(1);
    for (const unit of units)
      expect(await invoke('score', unit, environment)).toMatchObject({ partsScored: 1 });
    for (const request of await readJson(planned.publish)) {
      expect(await invoke('publish', request, environment)).toMatchObject({ kind: 'published' });
    }
    const found = await publishedBits(environment.SCORES_URI, 'dt=2024-03-09');
    expect(found.size).toBe(300);
    expect(isDeepStrictEqual(found, scoreBits(join(folder, 'a.arrow')))).toBe(true);
    // Bundled too, the X-Ray SDK finds the invocation's trace, and the clients that lib has made.
    for (const name of ['plan run', 'score unit', 'publish partition', 'S3']) {
      expect(daemon.named(name).length, name).toBeGreaterThan(0);
    }
    daemon.stop();
    expect(existsSync(join(folder, 'score', 'lib'))).toBe(false);
    expect(statSync(join(folder, 'score', 'scoringWorker.js')).isFile()).toBe(true);
    expect(readdirSync(join(folder, 'score')).sort()).toEqual([
      'index.js',
      'node_modules',
      'scoringWorker.js',
    ]);
  }, 60_000);
});
