import { readFileSync, writeFileSync } from 'node:fs';
import { Tensor } from 'onnxruntime-node';

/** Enough for all rows of a row group: a session that sees the same few rows again finds their embeddings in the cache. */
const MOST_RUNS = 128;

/** A tensor as it is given to a session. */
export interface FeedTensor {
  readonly name: string;
  readonly type: 'int32' | 'float32';
  readonly dims: readonly number[];
  readonly data: Int32Array | Float32Array;
}

/** Its bytes lie at `at` in the file of feeds. */
interface RecordedTensor extends Omit<FeedTensor, 'data'> {
  readonly at: number;
  readonly sizeBytes: number;
}

/** Beside the file of feeds, as JSON. */
interface RecordedFeeds {
  readonly runs: readonly (readonly RecordedTensor[])[];
}

/** Keeps copies of what a session is given, run by run, until there are enough of them. */
export class FeedsRecorder {
  readonly #runs: RecordedTensor[][] = [];
  readonly #chunks: Uint8Array[] = [];
  #at = 0;

  get isFull(): boolean {
    return this.#runs.length >= MOST_RUNS;
  }

  add(tensors: readonly FeedTensor[]): void {
    const run = tensors.map(({ data, ...tensor }): RecordedTensor => {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
      this.#chunks.push(bytes);
      this.#at += bytes.length;
      return { ...tensor, at: this.#at - bytes.length, sizeBytes: bytes.length };
    });
    this.#runs.push(run);
  }

  /** Nothing is written where nothing was added: of two threads only one runs batches. */
  write(file: string): void {
    if (this.#runs.length === 0) return;
    writeFileSync(file, Buffer.concat(this.#chunks));
    writeFileSync(`${file}.json`, JSON.stringify({ runs: this.#runs } satisfies RecordedFeeds));
  }
}

/** @returns what a session's `run` takes, run by run */
export function readFeeds(file: string): Readonly<Record<string, Tensor>>[] {
  const { runs } = JSON.parse(readFileSync(`${file}.json`, 'utf8')) as RecordedFeeds;
  const bytes = readFileSync(file);
  return runs.map((tensors) =>
    Object.fromEntries(
      tensors.map(({ name, type, dims, at, sizeBytes }) => {
        const { buffer } = Uint8Array.from(bytes.subarray(at, at + sizeBytes));
        const data = type === 'int32' ? new Int32Array(buffer) : new Float32Array(buffer);
        return [name, new Tensor(type, data as Float32Array, dims)];
      }),
    ),
  );
}
