import type { FileHandle } from 'node:fs/promises';
import { type RecordBatch, RecordBatchReader, type Schema } from 'apache-arrow';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';
import type { RandomAccessFile } from '../storage/storage.ts';

export interface PredictionFile {
  readonly rowCount: number;
  readonly batchCount: number;
  readonly schema: Schema;
  /** The schema's string map: model, input, row count. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The first rows by column name; 64-bit integers are bigints. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

const MAGIC = Buffer.from('ARROW1');
/** Magic and padding, then footer length and magic. */
const MIN_FILE_BYTES = 8 + 4 + MAGIC.length;

/**
 * Reads an Arrow IPC file batch by batch: its rows are counted, not believed from the metadata.
 * @param firstRows how many rows to give back
 * @throws Ncs4cvrError PREDICTION_FILE_INVALID; StorageError of the file
 */
export async function readPredictions(file: RandomAccessFile, firstRows = 0): Promise<PredictionFile> {
  const { schema, batches } = await openPredictions(file);
  const rows: Record<string, unknown>[] = [];
  let rowCount = 0;
  let batchCount = 0;
  for await (const batch of batches) {
    for (let row = 0; row < batch.numRows && rows.length < firstRows; row++)
      rows.push(batch.get(row)!.toJSON());
    rowCount += batch.numRows;
    batchCount++;
  }
  return { rowCount, batchCount, schema, metadata: schema.metadata, rows };
}

export interface OpenPredictions {
  readonly schema: Schema;
  /** In file order, none without rows. To be read once. */
  readonly batches: AsyncGenerator<RecordBatch, void, undefined>;
}

/** @throws Ncs4cvrError PREDICTION_FILE_INVALID, also while the batches are read; StorageError of the file */
export async function openPredictions(file: RandomAccessFile): Promise<OpenPredictions> {
  await checkFrame(file);
  try {
    const reader = await RecordBatchReader.from(asFileHandle(file));
    // The reader forgets its schema when it has read the last batch.
    const { schema } = await reader.open();
    return { schema, batches: batchesOf(reader, file) };
  } catch (error) {
    throw asInvalid(file, error);
  }
}

async function* batchesOf(reader: AsyncIterable<RecordBatch>, file: RandomAccessFile) {
  try {
    for await (const batch of reader) {
      // Stands in for the batches of a file without any.
      if (batch.numRows > 0) yield batch;
    }
  } catch (error) {
    throw asInvalid(file, error);
  }
}

function asInvalid(file: RandomAccessFile, error: unknown): unknown {
  if (error instanceof Ncs4cvrError) return error;
  return invalid(file, 'an Arrow IPC file', messageOf(error), error);
}

/** Checks the magic at both ends and the footer's length, which the Arrow reader takes on trust. */
async function checkFrame(file: RandomAccessFile): Promise<void> {
  if (file.sizeBytes < MIN_FILE_BYTES) throw invalid(file, 'an Arrow IPC file', `${file.sizeBytes} bytes`);
  const head = Buffer.alloc(MAGIC.length);
  const tail = Buffer.alloc(4 + MAGIC.length);
  await file.readInto(head, 0);
  await file.readInto(tail, file.sizeBytes - tail.length);
  if (!head.equals(MAGIC)) throw invalid(file, `'${MAGIC}' at the start`, 'other bytes');
  if (!tail.subarray(4).equals(MAGIC))
    throw invalid(file, `'${MAGIC}' at the end`, 'other bytes: it was cut off');
  const footerBytes = tail.readInt32LE(0);
  const maxBytes = file.sizeBytes - MIN_FILE_BYTES;
  if (footerBytes <= 0 || footerBytes > maxBytes) {
    throw invalid(file, `a footer of 1 to ${maxBytes} bytes`, `${footerBytes}`);
  }
}

/** As much of a file handle as apache-arrow needs to read ranges. */
function asFileHandle(file: RandomAccessFile): FileHandle {
  const handle = {
    fd: -1,
    stat: async () => ({ size: file.sizeBytes }),
    read: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
      const bytesRead = Math.max(0, Math.min(length, file.sizeBytes - position));
      await file.readInto(buffer.subarray(offset, offset + bytesRead), position);
      return { bytesRead, buffer };
    },
    // The caller opened the file and closes it.
    close: async () => {},
  };
  return handle as unknown as FileHandle;
}

function invalid(file: RandomAccessFile, expected: string, found: string, cause?: unknown): Ncs4cvrError {
  return new Ncs4cvrError('PREDICTION_FILE_INVALID', "this isn't a whole prediction file", {
    file: file.uri,
    expected,
    found,
    cause,
  });
}
