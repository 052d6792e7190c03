import { RecordBatch, type Schema, util } from 'apache-arrow';
import { Ncs4cvrError } from '../base/errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { CreateOptions } from '../storage/storage.ts';
import { ArrowFile, type WrittenPredictions } from './arrowFile.ts';
import { openPredictions } from './readPredictions.ts';
import { SequentialFile } from './sequentialFile.ts';

export interface JoinedPredictions extends WrittenPredictions {
  /** False when the output was to be written only if absent, and was there. */
  readonly isCreated: boolean;
}

/**
 * Joins prediction files that each start where the one before stopped into the very bytes that one uninterrupted call would
 * have written: the batches of all, in order, with the schema and the metadata that they share. Holds a batch at a time.
 * @param uris one at least
 * @throws Ncs4cvrError PREDICTION_FILES_DIFFER when they don't have the same schema and metadata, PREDICTION_FILE_INVALID,
 * PREDICTION_ROWS_LOST; StorageError
 */
export async function concatenatePredictions(
  uris: readonly string[],
  outputUri: string,
  options: CreateOptions = {},
): Promise<JoinedPredictions> {
  if (uris.length === 0) throw new RangeError('there are no files to join');
  const output = await storageFor(outputUri).createAtomic(outputUri, options);
  try {
    let joined: { readonly schema: Schema; readonly file: ArrowFile } | undefined;
    for (const uri of uris) {
      const file = new SequentialFile(await storageFor(uri).open(uri));
      try {
        const { schema, batches } = await openPredictions(file);
        joined ??= { schema, file: new ArrowFile(output, schema) };
        refuseOther(joined.schema, schema, uri, uris[0]!);
        for await (const batch of batches)
          await joined.file.write(new RecordBatch(joined.schema, batch.data));
      } finally {
        await file.close();
      }
    }
    const written = await joined!.file.finish();
    return { ...written, isCreated: (await output.commit()) !== undefined };
  } catch (error) {
    await output.abort();
    throw error;
  }
}

function refuseOther(expected: Schema, found: Schema, uri: string, firstUri: string): void {
  const metadataOf = ({ metadata }: Schema) => JSON.stringify([...metadata]);
  const isSame = util.compareSchemas(expected, found) && metadataOf(expected) === metadataOf(found);
  if (isSame) return;
  const textOf = (schema: Schema) => `${schema.fields.join(', ')}; ${metadataOf(schema)}`;
  throw new Ncs4cvrError('PREDICTION_FILES_DIFFER', 'the files to be joined are not pieces of one file', {
    file: uri,
    expected: `${textOf(expected)}, as in ${firstUri}`,
    found: textOf(found),
  });
}
