import { AsyncByteQueue, type RecordBatch, RecordBatchFileWriter } from 'apache-arrow';

/** Takes what the Arrow writer emits, in place of a queue that would hold the whole file. */
class ChunkSink extends AsyncByteQueue {
  #chunks: Uint8Array[] = [];

  override write(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  take(): Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }
}

/**
 * apache-arrow's IPC file writer (uncompressed), with its bytes taken away batch by batch and its rows counted where
 * they are serialised: `write` ignores a batch it dislikes without an error.
 */
export class CountingFileWriter extends RecordBatchFileWriter {
  readonly #chunkSink = new ChunkSink();
  #rowCount = 0;

  /** Rows that went into the file. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Starts the file; the schema is the one that every batch must have. */
  start(schema: RecordBatch['schema']): void {
    this.reset(this.#chunkSink, schema);
  }

  /** Bytes since the last call; they may be views of the written batch's memory. */
  takeChunks(): Uint8Array[] {
    return this.#chunkSink.take();
  }

  protected override _writeRecordBatch(batch: RecordBatch): this {
    this.#rowCount += batch.numRows;
    return super._writeRecordBatch(batch);
  }
}
