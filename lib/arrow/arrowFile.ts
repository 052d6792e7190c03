import type { RecordBatch, Schema } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import type { AtomicFile } from '../storage/storage.ts';
import { CountingFileWriter } from './countingFileWriter.ts';

/** Chunks below this are gathered into one write. */
const SMALL_CHUNK_BYTES = 64 * 1024;

export interface WrittenPredictions {
  readonly rowCount: number;
  readonly sizeBytes: number;
}

/**
 * An Arrow IPC file being written, of batches with one schema object: the Arrow writer ends the file silently when a batch
 * comes with another one. Uncompressed: apache-arrow 21.2 compresses off-spec, and other readers reject it.
 */
export class ArrowFile {
  readonly #file: AtomicFile;
  readonly #arrowWriter = new CountingFileWriter();
  #rowCount = 0;
  #sizeBytes = 0;

  constructor(file: AtomicFile, schema: Schema) {
    this.#file = file;
    this.#arrowWriter.start(schema);
  }

  /** The batches' bytes have reached the file when this resolves. @throws Ncs4cvrError PREDICTION_ROWS_LOST; StorageError */
  async write(...batches: readonly RecordBatch[]): Promise<void> {
    for (const batch of batches) {
      this.#arrowWriter.write(batch);
      this.#rowCount += batch.numRows;
      this.#checkRowCount();
    }
    await this.flush();
  }

  /** Writes the footer. The caller commits the file. @throws as write */
  async finish(): Promise<WrittenPredictions> {
    this.#arrowWriter.finish();
    this.#checkRowCount();
    await this.flush();
    return { rowCount: this.#rowCount, sizeBytes: this.#sizeBytes };
  }

  /** Writes what the Arrow writer holds, such as the file's head. */
  async flush(): Promise<void> {
    for (const chunk of gatherSmallChunks(this.#arrowWriter.takeChunks())) {
      await this.#file.write(chunk);
      this.#sizeBytes += chunk.length;
    }
  }

  #checkRowCount(): void {
    if (this.#arrowWriter.rowCount === this.#rowCount) return;
    throw new Ncs4cvrError('PREDICTION_ROWS_LOST', 'the Arrow writer left rows out', {
      file: this.#file.uri,
      expected: `${this.#rowCount} rows`,
      found: `${this.#arrowWriter.rowCount} rows`,
    });
  }
}

/** The Arrow writer emits lengths and paddings of a few bytes; each would be a system call. */
function* gatherSmallChunks(chunks: readonly Uint8Array[]): Generator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (chunk.length < SMALL_CHUNK_BYTES) {
      gathered.push(chunk);
      continue;
    }
    if (gathered.length > 0) yield Buffer.concat(gathered);
    gathered = [];
    yield chunk;
  }
  if (gathered.length > 0) yield Buffer.concat(gathered);
}
