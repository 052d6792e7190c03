import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../lib/base/digest.ts';
import { StorageError } from '../../lib/base/errors.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { contractFingerprint } from '../../lib/features/contract.ts';
import { vocabularyPath } from '../../lib/features/vocabularyFile.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { valuesOfFeature } from '../features/fittedVocabularies.ts';
import { changeBytes, changeManifest, copied, flipByte, refusal, tableFile, tiny } from './spoiltBundle.ts';

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

  it('has no file but its manifest and those that the manifest names, one per embedding table and vocabulary among them', () => {
    const { files } = tiny.bundle.manifest;
    const found = readdirSync(tiny.bundleUri, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => relative(tiny.bundleUri, join(parentPath, name)));
    expect(found.sort()).toEqual(['bundle.json', ...Object.keys(files)].sort());
    const tables = ['user_id', 'item', 'device', 'hour', 'price', 'tags'];
    expect(Object.keys(files).sort()).toEqual(
      [
        ...['golden.arrow', 'model.onnx', 'reference.json'],
        ...tables.map(tableFile),
        ...['user_id', 'item', 'hour', 'tags'].map(vocabularyPath),
      ].sort(),
    );
  });

  it('has its tables and vocabularies in shared memory, one for all threads', () => {
    for (const { buffer } of tiny.bundle.vocabularies.values()) {
      expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    }
    for (const { rows } of tiny.bundle.model.tables) expect(rows.buffer).toBeInstanceOf(SharedArrayBuffer);
  });

  it('has its tables where kernels read them, and a session leaves its area of that memory to the next one', async () => {
    const { model, layout } = tiny.bundle;
    const { memory } = model.tables[0]!;
    for (const table of model.tables) expect(table.memory).toBe(memory);
    const open = async () => (await ScoringSession.create(model, layout)).release();
    await open();
    const { byteLength } = memory!.buffer;
    for (let i = 0; i < 5; i++) await open();
    expect(memory!.buffer.byteLength).toBe(byteLength);
  });
});

describe('damage is refused, everything at once', () => {
  it.each([
    ['the first byte of model.onnx', 'model.onnx', 0],
    ['a byte in the weights', 'model.onnx', 2000],
    ['the last byte of model.onnx', 'model.onnx', -1],
    ['a byte of golden.arrow', 'golden.arrow', 700],
    ["a byte of a table's header", 'embeddings/item.safetensors', 20],
    ['a byte of an embedding', 'embeddings/item.safetensors', 500],
    ['the last byte of a table', 'embeddings/hour.safetensors', -1],
    ['a byte of a vocabulary', 'vocabularies/item.vocab', 100],
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

  it('is refused for unknown keys, a version that is none and missing parts, all named', async () => {
    const { code, problems } = await refusal(
      copied((copy) =>
        changeManifest(copy, ({ labels: _labels, ...manifest }) => ({
          ...manifest,
          formatVersion: 'two',
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

  it.each([
    [1, 'train the model again'],
    [3, 'the version of ncs4cvr that wrote it, or a later one'],
  ])('of format %d is refused with what to do, whatever else it holds', async (formatVersion, remedy) => {
    const copy = copied((path) =>
      changeManifest(path, ({ inputs: _inputs, ...manifest }) => ({ ...manifest, formatVersion })),
    );
    await expect(loadBundle(localDisk, copy)).rejects.toMatchObject({
      code: 'BUNDLE_FORMAT_UNSUPPORTED',
      message: expect.stringContaining(remedy),
      location: { file: join(copy, 'bundle.json') },
      found: String(formatVersion),
    });
  });

  it.each([
    '../model.onnx',
    '/etc/passwd',
    'embeddings/../../other',
    'embeddings//item',
    'embeddings/',
    '.hidden',
    'a\\b',
    '',
    'bundle.json',
  ])('that names the file %j is refused', async (path) => {
    const { code, problems } = await refusal(
      copied((copy) =>
        changeManifest(copy, ({ files }) => {
          files[path] = files['model.onnx']!;
        }),
      ),
    );
    expect(code).toBe('BUNDLE_MANIFEST_INVALID');
    expect(problems).toEqual([expect.stringContaining('files')]);
  });

  it.each(['model.onnx', 'golden.arrow'])('that names no %s is refused', async (path) => {
    const { code, problems } = await refusal(
      copied((copy) =>
        changeManifest(copy, ({ files }) => {
          delete files[path];
        }),
      ),
    );
    expect(code).toBe('BUNDLE_MANIFEST_INVALID');
    expect(problems).toEqual([`files.${path}: is missing`]);
  });

  it('may name further files, which are verified too', async () => {
    const withNotes = (text: string) =>
      copied((copy) => {
        writeFileSync(join(copy, 'notes.txt'), text);
        changeManifest(copy, ({ files }) => {
          files['notes.txt'] = { sizeBytes: 5, sha256: sha256('hello') };
        });
      });
    await expect(loadBundle(localDisk, withNotes('hello'))).resolves.toBeDefined();
    expect(await refusal(withNotes('hullo'))).toEqual({
      code: 'BUNDLE_CORRUPT',
      problems: [expect.stringContaining('notes.txt: expected sha256 ')],
    });
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
    const nowhere = copied((copy) =>
      changeManifest(copy, ({ contract }) => {
        contract.features.find(({ kind }) => kind === 'list')!.table = 'nowhere';
      }),
    );
    expect((await refusal(nowhere)).code).toBe('BUNDLE_MANIFEST_INVALID');
  });
});
