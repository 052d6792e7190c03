// Preloaded into the built command (`node --import`): writes what the scoring thread gives to its session, for bareSession.ts.
// FEEDS names the file. Nothing here knows how rows become tensors, so that any version of the command can be recorded.
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';
import type { InferenceSession } from 'onnxruntime-node';

/** Enough for all rows of a row group: a session that sees the same few rows again finds their embeddings in the cache. */
const MOST_RUNS = 128;

/** A recorded tensor: its bytes lie at `at` in the file of feeds. */
export interface RecordedTensor {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  readonly dims: readonly number[];
  readonly at: number;
  readonly sizeBytes: number;
}

export interface RecordedFeeds {
  readonly runs: readonly (readonly RecordedTensor[])[];
}

// The main thread runs the golden rows only.
if (!isMainThread && process.env.FEEDS !== undefined) record(process.env.FEEDS);

function record(file: string): void {
  // The types show a factory; what is there is a class.
  const { prototype } = createRequire(process.argv[1]!)('onnxruntime-node').InferenceSession as {
    readonly prototype: { run: InferenceSession['run'] };
  };
  const runs: RecordedTensor[][] = [];
  const chunks: Uint8Array[] = [];
  let at = 0;
  const original = prototype.run;
  prototype.run = function (this: InferenceSession, feeds: InferenceSession.FeedsType) {
    if (runs.length < MOST_RUNS) {
      const tensors = Object.entries(feeds).map(([name, tensor]) => {
        const data = tensor.data as Float32Array;
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
        chunks.push(bytes);
        at += bytes.length;
        const type = tensor.type as RecordedTensor['type'];
        return { name, type, dims: [...tensor.dims], at: at - bytes.length, sizeBytes: bytes.length };
      });
      runs.push(tensors);
    }
    return Reflect.apply(original, this, [feeds]);
  };
  process.on('exit', () => {
    if (runs.length === 0) return;
    writeFileSync(file, Buffer.concat(chunks));
    writeFileSync(`${file}.json`, JSON.stringify({ runs } satisfies RecordedFeeds));
  });
}
