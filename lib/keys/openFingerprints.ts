import { openPredictions } from '../arrow/readPredictions.ts';
import { SequentialFile } from '../arrow/sequentialFile.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import { type FileStat, writeIfUnchanged } from '../storage/storage.ts';
import { joinPath } from '../storage/uri.ts';
import { FINGERPRINT_BYTES, FingerprintFile } from './fingerprintFile.ts';
import { PartKeyScan } from './partKeyScan.ts';
import type { PartKeys } from './partKeys.ts';

/** As much of a receipt as says which keys a part has. */
export interface KeyedPart {
  readonly partId: string;
  /** Of the part, below the output root. */
  readonly path: string;
  readonly rows: number;
  readonly spans: readonly { readonly shard: string; readonly rows: number }[];
  readonly keys: PartKeys;
}

/** @throws Ncs4cvrError PUBLISH_PART_INVALID for a receipt that names none */
function fingerprintsOf(root: string, { keys, path, rows }: KeyedPart): string {
  if (keys.fingerprints !== null) return keys.fingerprints.path;
  const summary = "the part's receipt names no fingerprints of its keys";
  throw new Ncs4cvrError('PUBLISH_PART_INVALID', summary, {
    file: joinPath(root, path),
    expected: `those of ${rows} rows`,
  });
}

/**
 * The files of some parts' fingerprints, in the parts' order. A file that is gone, or of another length, is made anew from its
 * part. A listing, whatever the number of parts (a request per 1,000), and none for each.
 * @throws Ncs4cvrError PUBLISH_PART_INVALID when a part isn't what its receipt says
 */
export async function openFingerprints(
  root: string,
  parts: readonly KeyedPart[],
): Promise<FingerprintFile[]> {
  const pathOf = (part: KeyedPart) => fingerprintsOf(root, part);
  const folders = new Set(parts.map((part) => pathOf(part).replace(/\/[^/]+$/, '')));
  const listed = new Map<string, FileStat>();
  for (const folder of folders) {
    for (const file of await listIfAny(joinPath(root, folder)))
      listed.set(`${folder}/${file.relativePath}`, file);
  }
  // Each restored part holds its fingerprints twice, and pieces of itself.
  return mapConcurrently(parts, 1, async (part) => {
    const path = pathOf(part);
    const found = listed.get(path);
    const isWhole = found?.sizeBytes === part.rows * FINGERPRINT_BYTES;
    const uri = joinPath(root, path);
    return new FingerprintFile(uri, isWhole ? found : await restore(root, part, uri, found?.version));
  });
}

async function restore(
  root: string,
  part: KeyedPart,
  uri: string,
  version: string | undefined,
): Promise<FileStat> {
  const from = joinPath(root, part.path);
  const file = new SequentialFile(await storageFor(from).open(from));
  try {
    const { schema, batches } = await openPredictions(file);
    const names = part.keys.types.map(({ name }) => name);
    const scan = new PartKeyScan(
      schema,
      names,
      part.spans.map(({ rows }) => rows),
    );
    let rows = 0;
    for await (const batch of batches) {
      rows += batch.numRows;
      if (rows <= part.rows) scan.add(batch);
    }
    if (rows !== part.rows) {
      throw new Ncs4cvrError('PUBLISH_PART_INVALID', "a part isn't what its receipt says", {
        file: from,
        expected: `${part.rows} rows`,
        found: `${rows}`,
      });
    }
    const { fingerprintBytes } = scan.finish();
    const storage = storageFor(uri);
    const written = await writeIfUnchanged(storage, uri, fingerprintBytes, version);
    if (written !== undefined) return { sizeBytes: fingerprintBytes.length, version: written };
    // Somebody else has written the same.
    const found = await storage.stat(uri);
    if (found?.sizeBytes === fingerprintBytes.length) return found;
    throw new Ncs4cvrError(
      'PUBLISH_PART_COLLECTED',
      'the fingerprints of a part are being deleted; try again',
      {
        file: uri,
        retryable: true,
      },
    );
  } finally {
    await file.close();
  }
}
