import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { ProblemsError, StorageError } from '../../lib/base/errors.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { encodeGoldenRows } from '../../lib/bundle/writeBundle.ts';
import { contractFingerprint } from '../../lib/features/contract.ts';
import { decodeModel, encodeModel, tensorInfoOf, valueInfoOf } from '../../lib/onnx/modelProto.ts';
import type { GraphProto } from '../../lib/onnx/onnxSchema.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { valuesOfFeature } from '../features/fittedVocabularies.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { sharedData } from '../parquet/memoryFile.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let tiny: TinyModel;
let copies = 0;

beforeAll(async () => {
  tiny = await trainTinyModel(folder);
});

type Manifest = Record<string, unknown> & {
  files: Record<string, { sizeBytes: number; sha256: string }>;
  contract: { features: Record<string, unknown>[]; tables: Record<string, unknown> };
};

/** A copy of the bundle to spoil; `spoil` gets its folder. */
function copied(spoil: (copy: string) => void = () => {}): string {
  const copy = join(folder, `copy-${copies++}`);
  cpSync(tiny.bundleUri, copy, { recursive: true });
  spoil(copy);
  return copy;
}

function changeBytes(file: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(file, change(readFileSync(file)));
}

function changeManifest(copy: string, change: (manifest: Manifest) => unknown): void {
  const file = join(copy, 'bundle.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  writeFileSync(file, JSON.stringify(change(manifest) ?? manifest));
}

/** Replaces a file and makes sizes and checksums right again, as someone would who means to. */
function forge(copy: string, name: 'model.onnx' | 'golden.arrow', bytes: Uint8Array): void {
  writeFileSync(join(copy, name), bytes);
  changeManifest(copy, ({ files }) => {
    files[name] = { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
}

function forgeModel(copy: string, change: (graph: GraphProto) => GraphProto): void {
  const model = decodeModel(readFileSync(join(copy, 'model.onnx')));
  forge(copy, 'model.onnx', encodeModel({ ...model, graph: change(model.graph) }));
}

/** The error of loading, and its problems. */
async function refusal(uri: string): Promise<{ code: string; problems: readonly string[] }> {
  try {
    await loadBundle(localDisk, uri);
  } catch (error) {
    const { code } = error as { code: string };
    return { code, problems: error instanceof ProblemsError ? error.problems : [(error as Error).message] };
  }
  return expect.unreachable('the bundle must be refused');
}

const flipByte = (at: number) => (bytes: Buffer) => {
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes;
};

describe('an untouched bundle', () => {
  it('loads from another folder, and its contract is the one that was fitted', async () => {
    const { contract, manifest, vocabularies } = await loadBundle(localDisk, copied());
    expect(contract).toEqual(tiny.bundle.contract);
    expect(contractFingerprint(contract)).toBe(manifest.contractFingerprint);
    const valuesOf = (name: string) =>
      valuesOfFeature({ contract, vocabularies }, contract.features.find(({ column }) => column === name)!);
    // Ids above 2^53 and text beyond ASCII survive their files.
    expect(valuesOf('item_id')).toContain((2n ** 53n + 1n).toString());
    expect(valuesOf('tags')).toContain('été');
    expect(vocabularies).toEqual(tiny.bundle.vocabularies);
  });

  it('has no file but its four, and one for each vocabulary', () => {
    expect(readdirSync(tiny.bundleUri).sort()).toEqual([
      'bundle.json',
      'golden.arrow',
      'model.onnx',
      'reference.json',
      'vocabularies',
    ]);
    expect(readdirSync(join(tiny.bundleUri, 'vocabularies')).sort()).toEqual(
      ['hour', 'item', 'tags', 'user_id'].map((name) => `${name}.vocab`),
    );
  });
});

describe('damage is refused, everything at once', () => {
  it.each([
    ['the first byte of model.onnx', 'model.onnx', 0],
    ['a byte in the weights', 'model.onnx', 2000],
    ['the last byte of model.onnx', 'model.onnx', -1],
    ['a byte of golden.arrow', 'golden.arrow', 700],
  ] as const)('%s changed', async (_title, name, at) => {
    const { code, problems } = await refusal(copied((copy) => changeBytes(join(copy, name), flipByte(at))));
    expect(code).toBe('BUNDLE_CORRUPT');
    expect(problems).toEqual([expect.stringMatching(`${name}: expected sha256 `)]);
  });

  it('both files cut short or longer, and the contract edited', async () => {
    const { code, problems } = await refusal(
      copied((copy) => {
        changeBytes(join(copy, 'model.onnx'), (bytes) => bytes.subarray(0, bytes.length - 1));
        changeBytes(join(copy, 'golden.arrow'), (bytes) => Buffer.concat([bytes, Buffer.of(0)]));
        changeManifest(copy, ({ contract }) => {
          contract.features.find(({ kind }) => kind === 'list')!.maxLength = 3;
        });
      }),
    );
    expect(code).toBe('BUNDLE_CORRUPT');
    expect(problems).toEqual([
      expect.stringContaining('contract: expected fingerprint sha256:'),
      expect.stringMatching(/^model\.onnx: expected \d+ bytes, found \d+$/),
      expect.stringContaining('model.onnx: expected sha256 '),
      expect.stringMatching(/^golden\.arrow: expected \d+ bytes, found \d+$/),
      expect.stringContaining('golden.arrow: expected sha256 '),
    ]);
  });

  it('both files missing', async () => {
    const { code, problems } = await refusal(
      copied((copy) => {
        rmSync(join(copy, 'model.onnx'));
        rmSync(join(copy, 'golden.arrow'));
      }),
    );
    expect(code).toBe('BUNDLE_CORRUPT');
    expect(problems).toEqual([
      expect.stringMatching(/^model\.onnx: STORAGE_NOT_FOUND/),
      expect.stringMatching(/^golden\.arrow: STORAGE_NOT_FOUND/),
    ]);
  });

  it('but a file that is out of reach is no damage: the error of the storage stays, and whether to try again', async () => {
    const failure = new StorageError('STORAGE_READ_FAILED', 'slow down', { retryable: true });
    const outOfReach = Object.assign(Object.create(localDisk) as typeof localDisk, {
      readWhole: (uri: string) =>
        uri.endsWith('model.onnx') ? Promise.reject(failure) : localDisk.readWhole(uri),
    });
    await expect(loadBundle(outOfReach, tiny.bundleUri)).rejects.toBe(failure);
  });

  it('an empty file', async () => {
    const { code } = await refusal(copied((copy) => writeFileSync(join(copy, 'model.onnx'), '')));
    expect(code).toBe('BUNDLE_CORRUPT');
  });
});

describe('the manifest', () => {
  it('that is missing means there is no bundle', async () => {
    const { code } = await refusal(copied((copy) => rmSync(join(copy, 'bundle.json'))));
    expect(code).toBe('STORAGE_NOT_FOUND');
  });

  it.each(['', '{"formatVersion": 1', 'PK\u0003\u0004'])('that is no JSON is refused: %j', async (text) => {
    const { code, problems } = await refusal(
      copied((copy) => writeFileSync(join(copy, 'bundle.json'), text)),
    );
    expect(code).toBe('BUNDLE_MANIFEST_INVALID');
    expect(problems[0]).toContain('bundle.json: not JSON');
  });

  it('is refused for unknown keys, another version and missing parts, all named', async () => {
    const { code, problems } = await refusal(
      copied((copy) =>
        changeManifest(copy, ({ labels: _labels, ...manifest }) => ({
          ...manifest,
          formatVersion: 2,
          comment: 'hello',
          contractFingerprint: 'md5:0',
        })),
      ),
    );
    expect(code).toBe('BUNDLE_MANIFEST_INVALID');
    const text = problems.join('\n');
    for (const part of ['formatVersion', 'labels', '"comment"', 'contractFingerprint']) {
      expect(text).toContain(part);
    }
  });

  it.each([[null], [[]], [{}]])('of %j is refused', async (document) => {
    const { code } = await refusal(
      copied((copy) => writeFileSync(join(copy, 'bundle.json'), JSON.stringify(document))),
    );
    expect(code).toBe('BUNDLE_MANIFEST_INVALID');
  });

  it('whose contract was never fitted is refused by its name, fingerprint and all', async () => {
    const copy = copied((folder) =>
      changeManifest(folder, (manifest) => {
        for (const feature of manifest.contract.features) {
          delete feature.fitted;
          const table = feature.table as { vocabulary?: { fitted?: unknown } } | undefined;
          delete table?.vocabulary?.fitted;
        }
        manifest.contractFingerprint = contractFingerprint(manifest.contract as never);
      }),
    );
    await expect(loadBundle(localDisk, copy)).rejects.toMatchObject({
      code: 'CONTRACT_NOT_FITTED',
      location: { file: join(copy, 'bundle.json') },
    });
  });

  it('whose contract contradicts itself is refused as such', async () => {
    const { code, problems } = await refusal(
      copied((copy) =>
        changeManifest(copy, ({ contract }) => {
          contract.tables.lonely = { type: 'int', hash: { buckets: 5 } };
        }),
      ),
    );
    expect(code).toBe('BUNDLE_MANIFEST_INVALID');
    expect(problems).toEqual(['contract.tables.lonely: no feature uses this table']);
  });
});

describe('a model with right checksums that does not fit the contract is refused', () => {
  it('for other inputs and outputs, shapes and types, all listed', async () => {
    const copy = copied((path) =>
      forgeModel(path, (graph) => ({
        ...graph,
        input: graph.input
          .map(tensorInfoOf)
          .map((input) =>
            valueInfoOf(
              input.name === 'dense'
                ? { ...input, name: 'numbers' }
                : input.name === 'list_rows'
                  ? { ...input, elementType: 'int64' }
                  : input.name === 'single_rows'
                    ? { ...input, shape: [512, input.shape[1]!] }
                    : input,
            ),
          ),
        output: graph.output
          .map(tensorInfoOf)
          .map((output) => valueInfoOf(output.name === 'pcvr' ? { ...output, shape: ['B', 1] } : output)),
      })),
    );
    const { code, problems } = await refusal(copy);
    expect(code).toBe('BUNDLE_INTERFACE');
    expect(problems).toEqual([
      'input single_rows: expected int32 [B, 5], found int32 [512, 5]',
      'input list_rows: expected int32 [B, 7], found int64 [B, 7]',
      'input dense: expected float32 [B, 4], found none',
      'input numbers: not expected',
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
    expect(problems).toHaveLength(2);
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

  const night = `${sharedData}nights/damaged/golden-hang-bundle/golden.arrow`;
  it.skipIf(!existsSync(night))(
    'of ../shared/data/nights/damaged/golden-hang-bundle are refused within seconds (skipped without it)',
    async () => {
      const copy = copied((path) => forge(path, 'golden.arrow', readFileSync(night)));
      const started = performance.now();
      expect((await refusal(copy)).code).toBe('BUNDLE_GOLDEN_INVALID');
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
