import { StorageError } from '../errors.ts';
import { MANIFEST_FILE } from '../model/bundleManifest.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { describeBundle } from './describeBundle.ts';
import { describePredictions } from './describePredictions.ts';
import { describeShard } from './describeShard.ts';

const PARQUET_MAGIC = 'PAR1';
const ARROW_MAGIC = 'ARROW1';

/**
 * Describes what lies at a URI in readable text: a bundle by its manifest, a file by its first bytes.
 * @throws StorageError INSPECT_UNKNOWN for anything else; the error of a damaged file
 */
export async function describeUri(uri: string): Promise<string> {
  const storage = storageFor(uri);
  if (await storage.exists(joinUri(uri, MANIFEST_FILE))) return describeBundle(uri);
  const file = await storage.open(uri).catch((error: unknown) => {
    const isNoFile = error instanceof StorageError && error.code === 'STORAGE_NOT_A_FILE';
    throw isNoFile ? unknown(uri, `${error.found} without ${MANIFEST_FILE}`) : error;
  });
  try {
    const head = new Uint8Array(Math.min(ARROW_MAGIC.length, file.sizeBytes));
    await file.readInto(head, 0);
    const magic = Buffer.from(head).toString('latin1');
    if (magic.startsWith(PARQUET_MAGIC)) return await describeShard(file);
    if (magic === ARROW_MAGIC) return await describePredictions(file);
    throw unknown(uri, head.length === 0 ? 'an empty file' : JSON.stringify(magic));
  } finally {
    await file.close();
  }
}

function unknown(uri: string, found: string): StorageError {
  return new StorageError('INSPECT_UNKNOWN', 'neither a bundle, a shard nor a prediction file', {
    file: uri,
    expected: `${MANIFEST_FILE} in a folder, or a file beginning with ${PARQUET_MAGIC} or ${ARROW_MAGIC}`,
    found,
  });
}
