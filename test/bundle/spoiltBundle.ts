import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect } from 'vitest';
import { ProblemsError } from '../../lib/base/errors.ts';
import { loadBundle } from '../../lib/bundle/loadBundle.ts';
import { decodeModel, encodeModel } from '../../lib/onnx/modelProto.ts';
import type { GraphProto } from '../../lib/onnx/onnxSchema.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { type TinyModel, trainTinyModel } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
/** Trained once per test file. */
export let tiny: TinyModel;
let copies = 0;

beforeAll(async () => {
  tiny = await trainTinyModel(folder);
});

type Manifest = Record<string, unknown> & {
  files: Record<string, { sizeBytes: number; sha256: string }>;
  contract: { features: Record<string, unknown>[]; tables: Record<string, unknown> };
};

/** A copy of the bundle to spoil; `spoil` gets its folder. */
export function copied(spoil: (copy: string) => void = () => {}): string {
  const copy = join(folder, `copy-${copies++}`);
  cpSync(tiny.bundleUri, copy, { recursive: true });
  spoil(copy);
  return copy;
}

export function changeBytes(file: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(file, change(readFileSync(file)));
}

export function changeManifest(copy: string, change: (manifest: Manifest) => unknown): void {
  const file = join(copy, 'bundle.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  writeFileSync(file, JSON.stringify(change(manifest) ?? manifest));
}

/** Replaces a file and makes sizes and checksums right again, as someone would who means to. */
export function forge(copy: string, name: string, bytes: Uint8Array): void {
  writeFileSync(join(copy, name), bytes);
  changeManifest(copy, ({ files }) => {
    files[name] = { sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
}

export function forgeModel(copy: string, change: (graph: GraphProto) => GraphProto): void {
  const model = decodeModel(readFileSync(join(copy, 'model.onnx')));
  forge(copy, 'model.onnx', encodeModel({ ...model, graph: change(model.graph) }));
}

/** The error of loading, and its problems. */
export async function refusal(uri: string): Promise<{ code: string; problems: readonly string[] }> {
  try {
    await loadBundle(localDisk, uri);
  } catch (error) {
    const { code } = error as { code: string };
    return { code, problems: error instanceof ProblemsError ? error.problems : [(error as Error).message] };
  }
  return expect.unreachable('the bundle must be refused');
}

export const tableFile = (table: string) => `embeddings/${table}.safetensors`;

export const flipByte = (at: number) => (bytes: Buffer) => {
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  return bytes;
};
