import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import type { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { checkGoldenRows } from '../../lib/bundle/verifyModel.ts';
import { encodeGoldenRows } from '../../lib/bundle/writeBundle.ts';
import { contractFingerprint, parseContract } from '../../lib/features/contract.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { featureLayout } from '../../lib/features/featureLayout.ts';
import { vocabularyPath } from '../../lib/features/vocabularyFile.ts';
import { decodeModel, encodeModel, tensorInfoOf, valueInfoOf } from '../../lib/onnx/modelProto.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { sharedData } from '../parquet/memoryFile.ts';
import {
  changeBytes,
  changeManifest,
  copied,
  flipByte,
  forge,
  forgeModel,
  refusal,
  tiny,
} from './spoiltBundle.ts';

describe('a model with right checksums that does not fit the contract is refused', () => {
  it('for other inputs and outputs, shapes and types, all listed', async () => {
    const copy = copied((path) =>
      forgeModel(path, (graph) => ({
        ...graph,
        input: graph.input
          .map(tensorInfoOf)
          .map((input) =>
            valueInfoOf(input.name === 'rows' ? { ...input, elementType: 'int64', shape: [512, 7] } : input),
          ),
        output: graph.output
          .map(tensorInfoOf)
          .map((output) => valueInfoOf(output.name === 'pcvr' ? { ...output, shape: ['B', 1] } : output)),
      })),
    );
    const { code, problems } = await refusal(copy);
    expect(code).toBe('BUNDLE_INTERFACE');
    expect(problems).toEqual([
      'input rows: expected float32 [B, 60], found int64 [512, 7]',
      'output pcvr: expected float32 [B], found float32 [B, 1]',
    ]);
  });

  it('for operators that are not standard ONNX', async () => {
    const copy = copied((path) =>
      forgeModel(path, (graph) => ({
        ...graph,
        node: graph.node.map((node) =>
          node.opType === 'Relu' ? { ...node, opType: 'Gelu', domain: 'com.microsoft' } : node,
        ),
      })),
    );
    expect(await refusal(copy)).toEqual({
      code: 'BUNDLE_INTERFACE',
      problems: ['operator com.microsoft.Gelu: not a standard ONNX operator'],
    });
  });

  it("for graphs within the graph, which may never end, and for the model's own functions", async () => {
    const copy = copied((path) => {
      const model = decodeModel(readFileSync(join(path, 'model.onnx')));
      // while (true) {}
      const node = { name: '', domain: '', attribute: [] };
      const body = {
        ...model.graph,
        name: 'body',
        node: [{ ...node, opType: 'Identity', input: ['condition'], output: ['again'] }],
        initializer: [],
        input: [],
        output: [],
      };
      const graph = {
        ...model.graph,
        node: [
          ...model.graph.node,
          { ...node, opType: 'Loop', input: [], output: [], attribute: [{ name: 'body', type: 5, g: body }] },
        ],
      };
      forge(path, 'model.onnx', encodeModel({ ...model, graph, functions: [new Uint8Array(0)] }));
    });
    expect(await refusal(copy)).toEqual({
      code: 'BUNDLE_INTERFACE',
      problems: [
        'operator Loop: a graph within the graph, which may never end',
        "1 functions of the model's own: not standard ONNX operators",
      ],
    });
  });

  it('when the contract is another one, fingerprint and all', async () => {
    const copy = copied((path) =>
      changeManifest(path, (manifest) => {
        const list = manifest.contract.features.find(({ kind }) => kind === 'list')!;
        list.maxLength = 3;
        manifest.contractFingerprint = contractFingerprint(manifest.contract as never);
      }),
    );
    const { code, problems } = await refusal(copy);
    expect(code).toBe('BUNDLE_INTERFACE');
    expect(problems).toEqual([expect.stringContaining('made for another contract')]);
  });

  it('when the file is no ONNX model, or one that ONNX Runtime refuses', async () => {
    const text = copied((copy) => forge(copy, 'model.onnx', Buffer.from('no model at all')));
    expect((await refusal(text)).code).toBe('GRAPH_UNREADABLE');
    const missingWeights = copied((copy) =>
      forgeModel(copy, (graph) => ({ ...graph, initializer: graph.initializer.slice(1) })),
    );
    expect((await refusal(missingWeights)).code).toBe('GRAPH_INVALID');
  });
});

describe('a vocabulary', () => {
  const path = vocabularyPath('tags');

  /** Changes a vocabulary and every digest that covers it. */
  function forgeVocabulary(copy: string, change: (bytes: Buffer) => Buffer): void {
    changeBytes(join(copy, path), change);
    const bytes = readFileSync(join(copy, path));
    const digest = createHash('sha256').update(bytes).digest('hex');
    changeManifest(copy, (manifest) => {
      manifest.files[path] = { sizeBytes: bytes.length, sha256: digest };
      const { table } = manifest.contract.features.find(({ column }) => column === 'tags')! as {
        table: { vocabulary: { fitted: { sha256: string } } };
      };
      table.vocabulary.fitted.sha256 = digest;
      manifest.contractFingerprint = contractFingerprint(manifest.contract as never);
    });
  }

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ['a byte of its header', flipByte(20)],
    ['a byte of a slot', flipByte(80)],
    ['the last byte of its text', flipByte(-1)],
    ['all behind its header', (bytes) => bytes.fill(0, 64)],
    ['its length', (bytes) => bytes.subarray(0, 100)],
  ])('with %s changed and all digests right is refused, by its file', async (_title, change) => {
    const copy = copied((folder) => forgeVocabulary(folder, change));
    await expect(loadBundle(localDisk, copy)).rejects.toMatchObject({
      code: 'BUNDLE_VOCABULARY_INVALID',
      location: { file: join(copy, path) },
    });
  });

  it('that the manifest has no file for, or another one than the contract says, is refused', async () => {
    const missing = copied((folder) => changeManifest(folder, ({ files }) => void delete files[path]));
    expect(await refusal(missing)).toEqual({
      code: 'BUNDLE_MANIFEST_INVALID',
      problems: [`files.${path}: is missing, and the contract names it`],
    });
    const other = copied((folder) => forge(folder, path, Buffer.from('another file')));
    expect(await refusal(other)).toEqual({
      code: 'BUNDLE_MANIFEST_INVALID',
      problems: [`files.${path}: has another sha256 than in the contract`],
    });
  });
});

describe('golden rows', () => {
  /** The bundle's own golden rows with scores shifted by `shift`. */
  const shifted = (shift: number) => {
    const table = tableFromIPC(readFileSync(join(tiny.bundleUri, 'golden.arrow')));
    const batch = table.batches[0]!;
    const features = table.schema.names.filter((name) => !['pctr', 'pcvr', 'pctcvr'].includes(String(name)));
    const scores = (name: string, by = 0) =>
      Float32Array.from(table.getChild(name)!.toArray() as Float32Array, (score) => score + by);
    return encodeGoldenRows(batch.select(features as string[]), {
      pctr: scores('pctr', shift),
      pcvr: scores('pcvr'),
    });
  };

  it('that score up to 1e-5 apart are accepted, as other machines differ in the last bits', async () => {
    const copy = copied((path) => forge(path, 'golden.arrow', shifted(8e-6)));
    await expect(loadBundle(localDisk, copy)).resolves.toBeDefined();
  });

  it.each([2e-5, -0.1, Number.NaN])('that score %d apart are refused, rows named', async (shift) => {
    const { code, problems } = await refusal(copied((path) => forge(path, 'golden.arrow', shifted(shift))));
    expect(code).toBe('BUNDLE_GOLDEN_MISMATCH');
    expect(problems[0]).toMatch(/^row 0, pctr: expected \S+, found 0\.\d+$/);
  });

  it('catch weights that were changed with all checksums right', async () => {
    const copy = copied((path) =>
      forgeModel(path, (graph) => ({
        ...graph,
        initializer: graph.initializer.map((tensor) => {
          if (tensor.name !== 'click.head.bias') return tensor;
          const rawData = tensor.rawData.slice();
          const values = new Float32Array(rawData.buffer);
          values[0]! += 0.001;
          return { ...tensor, rawData };
        }),
      })),
    );
    expect((await refusal(copy)).code).toBe('BUNDLE_GOLDEN_MISMATCH');
  });

  const night = `${sharedData}nights/damaged/golden-hang-bundle`;
  it.skipIf(!existsSync(night))(
    'of ../shared/data/nights/damaged/golden-hang-bundle are refused within seconds (skipped without it)',
    async () => {
      // The bundle is of an older format: its golden rows are read under its contract, vocabularies hashed.
      const { contract } = JSON.parse(readFileSync(join(night, 'bundle.json'), 'utf8')) as {
        contract: { features: { table?: { type: string } }[] };
      };
      const features = contract.features.map((feature) =>
        feature.table === undefined
          ? feature
          : { ...feature, table: { type: feature.table.type, hash: { buckets: 9 } } },
      );
      const hashed = parseContract({ ...contract, features });
      const fitted = { contract: hashed, vocabularies: new Map() };
      const rows = allocateEncodedRows(featureLayout(hashed), 512);
      const none = new Float32Array(512);
      const session = { rows, score: async () => ({ pctr: none, pcvr: none, pctcvr: none }) };
      const golden = readFileSync(join(night, 'golden.arrow'));
      const started = performance.now();
      await expect(
        checkGoldenRows(golden, fitted, session as unknown as ScoringSession, night),
      ).rejects.toMatchObject({ code: 'BUNDLE_GOLDEN_INVALID' });
      expect(performance.now() - started).toBeLessThan(5000);
    },
  );

  it.each([
    ['no Arrow file', () => Buffer.from('hello, this is no arrow file at all')],
    ['an empty file', () => new Uint8Array(0)],
    ['cut short', () => readFileSync(join(tiny.bundleUri, 'golden.arrow')).subarray(0, 1500)],
    [
      'without a feature column',
      () => {
        const [batch] = tableFromIPC(readFileSync(join(tiny.bundleUri, 'golden.arrow'))).batches;
        const scores = new Float32Array(batch!.numRows);
        return encodeGoldenRows(batch!.select(['user_id', 'device']), { pctr: scores, pcvr: scores });
      },
    ],
  ])('that are unusable are refused: %s', async (_title, bytes) => {
    const { code } = await refusal(copied((path) => forge(path, 'golden.arrow', bytes())));
    expect(code).toBe('BUNDLE_GOLDEN_INVALID');
  });
});
