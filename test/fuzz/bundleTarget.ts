import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../lib/base/digest.ts';
import { Ncs4cvrError } from '../../lib/base/errors.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { contractFingerprint } from '../../lib/features/contract.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { trainTinyModel } from '../fixtures/tinyModel.ts';
import type { FuzzTarget, Outcome } from './fuzzCase.ts';
import { damagedBytes } from './mutateBytes.ts';
import { mutateJson } from './mutateJson.ts';

const [MANIFEST, MODEL, GOLDEN, REFERENCE, TABLE] = [
  'bundle.json',
  'model.onnx',
  'golden.arrow',
  'reference.json',
  'embeddings/item.safetensors',
] as const;

interface Manifest {
  readonly files: Readonly<Record<string, object>>;
  contract: Parameters<typeof contractFingerprint>[0];
}

/** Bundles with one file damaged, and the digests as somebody would have them who wants it to be taken. */
export const bundleTarget: FuzzTarget = {
  name: 'bundles',
  prepare: async (folder, seed) => {
    const { bundleUri } = await trainTinyModel(join(folder, 'model'), { rowsPerDay: 300 });
    const bundle = join(folder, 'bundle');
    cpSync(bundleUri, bundle, { recursive: true });
    const files = new Map<string, Uint8Array>(
      [MODEL, GOLDEN, REFERENCE, TABLE].map((name) => [name, readFileSync(join(bundleUri, name))]),
    );
    const manifest = JSON.parse(readFileSync(join(bundleUri, MANIFEST), 'utf8')) as Manifest;
    const reference: unknown = JSON.parse(readFileSync(join(bundleUri, REFERENCE), 'utf8'));
    const mutate = (name: string, random: RandomStream) => {
      if (name === MANIFEST) return mutateManifest(manifest, random);
      return name === REFERENCE ? mutateJson(reference, random) : damageFile(files.get(name)!, random);
    };
    return (index) => {
      const random = new RandomStream(seed + index);
      const name = [MANIFEST, MODEL, GOLDEN, GOLDEN, REFERENCE, TABLE][index % 6]!;
      const { damage, bytes } = mutate(name, random);
      const run = async (): Promise<Outcome> => {
        for (const [each, whole] of files) writeFileSync(join(bundle, each), each === name ? bytes : whole);
        const digests = { ...manifest.files, [name]: { sizeBytes: bytes.length, sha256: sha256(bytes) } };
        writeFileSync(
          join(bundle, MANIFEST),
          name === MANIFEST ? bytes : JSON.stringify({ ...manifest, files: digests }),
        );
        try {
          await loadBundle(localDisk, bundle);
          return { kind: 'otherValues', where: `${name} of a bundle whose golden rows are scored right` };
        } catch (error) {
          if (!(error instanceof Ncs4cvrError)) {
            return {
              kind: 'failed',
              reason: `without a code: ${error instanceof Error ? error.stack : error}`,
            };
          }
          const isNamed = error.location.file?.startsWith(bundle) ?? false;
          if (!isNamed) return { kind: 'failed', reason: `without the file: ${error.message.slice(0, 300)}` };
          return { kind: 'refused', code: error.code };
        }
      };
      return { name: `${name}: ${damage}`, bytes, run };
    };
  },
};

function damageFile(whole: Uint8Array, random: RandomStream): { damage: string; bytes: Uint8Array } {
  const { kind, bytes } = damagedBytes(whole, random);
  return { damage: kind, bytes };
}

/** Half of them within the contract, under a fingerprint that fits where there can be one. */
function mutateManifest(manifest: Manifest, random: RandomStream): { damage: string; bytes: Uint8Array } {
  if (random.nextBelow(2) === 0) return mutateJson(manifest, random);
  const { bytes, damage } = mutateJson(manifest.contract, random);
  try {
    const contract = JSON.parse(new TextDecoder().decode(bytes)) as Manifest['contract'];
    const fitting = { ...manifest, contract, contractFingerprint: contractFingerprint(contract) };
    return { damage: `contract, ${damage}`, bytes: new TextEncoder().encode(JSON.stringify(fitting)) };
  } catch {
    return { damage: `contract as the manifest, ${damage}`, bytes };
  }
}
