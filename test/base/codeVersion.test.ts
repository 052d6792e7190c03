import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { runComparison } from '../../lib/comparison/runComparison.ts';
import { executePlan } from '../../lib/publish/executePlan.ts';
import { makeRunPlan } from '../../lib/publish/makeRunPlan.ts';
import { modelIdentity } from '../../lib/publish/modelIdentity.ts';
import { readRunPlan, writeRunPlan } from '../../lib/publish/runPlan.ts';
import { trainModel } from '../../lib/recipe/trainModel.ts';
import { storageFor } from '../../lib/storage/openStorage.ts';
import { codeVersion } from '../../scripts/codeVersion.mjs';
import { GATES_OFF } from '../fixtures/gatesOff.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import {
  type ConfigDocument,
  THREE_SIDES,
  TINY_CONFIG,
  tinyConfig,
  trainTinyModel,
} from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

/** What the code is told it is; undefined for the truth. */
const pretended = vi.hoisted(() => ({ version: undefined as string | undefined }));
vi.mock(import('../../lib/base/codeVersion.ts'), async (original) => {
  const { CODE_VERSION } = await original();
  return {
    get CODE_VERSION() {
      return pretended.version ?? CODE_VERSION;
    },
  };
});

const project = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const version = codeVersion(project);

async function asOtherCode<T>(work: () => Promise<T>): Promise<T> {
  pretended.version = '0.1.0+000000000000';
  try {
    return await work();
  } finally {
    pretended.version = undefined;
  }
}

describe('the version of the code', () => {
  /** A checkout of its own, with a change. */
  function changed(name: string, file: string, change: (text: string) => string): string {
    const copy = join(folder, name);
    for (const part of ['functions', 'lib', 'package.json', 'package-lock.json']) {
      cpSync(join(project, part), join(copy, part), { recursive: true });
    }
    const before = readFileSync(join(copy, file), 'utf8');
    const after = change(before);
    expect(after).not.toBe(before);
    writeFileSync(join(copy, file), after);
    return codeVersion(copy);
  }

  it("is the package's and a digest, the same in the tests and in the built command, which prints it", async () => {
    const { CODE_VERSION } = await import('../../lib/base/codeVersion.ts');
    expect(CODE_VERSION).toBe(version);
    const main = join(project, 'dist/lib/cli/main.js');
    expect(execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' })).toBe(`${version}\n`);
    const { version: ofPackage } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'));
    expect(version).toMatch(/^[^+]+\+[0-9a-f]{12}$/);
    expect(version.split('+')[0]).toBe(ofPackage);
  });

  it.each([
    ['a number in lib', 'lib/onnx/adam.ts', (text: string) => text.replace('beta1 = 0.9', 'beta1 = 0.8')],
    [
      'a word in functions',
      'functions/telemetry.ts',
      (text: string) => text.replace("'ncs4cvr'", "'ncs5cvr'"),
    ],
    [
      'a library that runs',
      'package-lock.json',
      (text: string) => text.replace(/("node_modules\/apache-arrow": \{\s+"version": ")/, '$19'),
    ],
  ])('changes with %s', (name, file, change) => {
    expect(changed(name, file, change)).not.toBe(version);
  });

  it.each([
    ['comments and layout', 'lib/onnx/adam.ts', (text: string) => `// A word.\n\n${text}`],
    ['line ends', 'lib/onnx/adam.ts', (text: string) => text.replaceAll('\n', '\r\n')],
    ['types', 'lib/onnx/adam.ts', (text: string) => `${text}\nexport type Another = number;\n`],
    [
      'a development tool',
      'package-lock.json',
      (text: string) => text.replace(/("node_modules\/vitest": \{\s+"version": ")/, '$19'),
    ],
  ])('does not change with %s, nor with the checkout', (name, file, change) => {
    expect(changed(name, file, change)).toBe(version);
  });
});

describe('another version of the code', () => {
  const dataUri = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 300 });

  it("continues no checkpoint of this one's, and its bundle says so", async () => {
    const config = tinyConfig({ training: { epochs: 2, batchRows: 32, patience: 100 } });
    /** @param stop validations after which it is killed */
    const train = async (output: string, stop = Number.POSITIVE_INFINITY) => {
      let validations = 0;
      const onProgress = ({ validation }: { validation?: unknown }) => {
        if (validation !== undefined && ++validations === stop) throw new Error('killed');
      };
      const run = trainModel(config, dataUri, join(folder, output), { onProgress });
      if (stop < Number.POSITIVE_INFINITY) await expect(run).rejects.toThrow('killed');
      else await run;
      return validations;
    };
    const all = await train('whole');
    await train('same', all - 1);
    expect(await train('same')).toBeLessThan(all);
    await train('other', all - 1);
    expect(await asOtherCode(() => train('other'))).toBe(all);
    const manifestOf = async (name: string) =>
      (await loadBundle(storageFor(folder), join(folder, name))).manifest;
    expect((await manifestOf('same')).training.codeVersion).toBe(version);
    expect((await manifestOf('other')).training.codeVersion).toBe('0.1.0+000000000000');
  });

  it('adds no run to a comparison of this one', async () => {
    const document = {
      ...(TINY_CONFIG as ConfigDocument),
      split: THREE_SIDES,
      training: { ...(TINY_CONFIG.training as object), epochs: 1, batchRows: 64 },
    };
    const compare = () =>
      runComparison(document, 'config.json', dataUri, join(folder, 'comparison'), {
        arms: ['mmoe'],
        seeds: 1,
        processes: 1,
      });
    expect((await compare()).codeVersion).toBe(version);
    await expect(asOtherCode(compare)).rejects.toMatchObject({ code: 'COMPARISON_CHANGED' });
  }, 60_000);

  it('makes a plan of another name, and publishes the same bytes: no part, receipt or manifest names the code', async () => {
    const { bundleUri } = await trainTinyModel(folder, { rowsPerDay: 300 });
    const bundle = await loadBundle(storageFor(bundleUri), bundleUri);
    const partition = `dt=${TINY_DATES[0]}`;
    const root = join(folder, 'scores');
    const settings = {
      targetRows: 100,
      toleratedBrokenShards: 0,
      gates: GATES_OFF,
      jobDigest: 'job',
      liftHold: false,
    };
    const publish = async () => {
      rmSync(root, { recursive: true, force: true });
      const { plan } = await makeRunPlan(
        { ...settings, modelUri: bundleUri, model: modelIdentity(bundle), root },
        [{ partition, inputUri: join(dataUri, partition) }],
      );
      const { uri } = await writeRunPlan(plan);
      await executePlan(plan, bundle, { workers: 1 });
      const below = (kind: string) => filesBelow(join(root, kind));
      const published = ['parts', 'receipts', 'manifests'].map(below);
      return { plan: await readRunPlan(uri), uri, published, pointers: below('pointers') };
    };
    const one = await publish();
    const other = await asOtherCode(publish);
    expect(one.plan.codeVersion).toBe(version);
    expect(other.plan).toEqual({ ...one.plan, codeVersion: '0.1.0+000000000000' });
    expect(other.uri).not.toBe(one.uri);
    expect(other.published).toEqual(one.published);
    for (const files of [...one.published, one.pointers]) {
      expect(files.size).toBeGreaterThan(0);
      for (const [path, bytes] of files) {
        const text = bytes.toString('latin1');
        expect(text.includes(version) || /code_?version/i.test(text), path).toBe(false);
      }
    }
  });
});

function filesBelow(root: string): Map<string, Buffer> {
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => statSync(join(root, name)).isFile());
  return new Map(files.sort().map((name) => [name, readFileSync(join(root, name))]));
}
