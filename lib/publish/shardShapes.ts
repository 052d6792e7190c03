import { z } from 'zod';
import type { Ncs4cvrError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { readShardShape } from '../parquet/readShardShape.ts';
import { storageFor, writeWhole } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { isBrokenShard } from './brokenShard.ts';
import { below, decodeOutputDocument, OUTPUT_FORMAT_VERSION, shapesPath } from './outputLayout.ts';
import type { NamedShape } from './span.ts';

const shapesSchema = z.strictObject({
  formatVersion: z.literal(OUTPUT_FORMAT_VERSION),
  /** Of a shard: its version, and the rows of its row groups. */
  shards: z.record(z.string(), z.tuple([z.string(), z.array(z.int().min(0))])),
});
type Shapes = z.infer<typeof shapesSchema>['shards'];

/** Footers that are read at a time. */
const READS_AT_A_TIME = 32;
/** Footers that are read between two looks at the time. */
const SHARDS_PER_LOOK = 256;

/** A shard's shape, or why it has none. */
export type FoundShape =
  | { readonly file: ListedFile; readonly shape: NamedShape }
  | { readonly file: ListedFile; readonly error: Ncs4cvrError };

/**
 * What footers said when they were last read, by shard: below the output root, so that a footer is read once per version
 * of its shard. Nothing relies on it but speed: an entry is used for the version that it names and no other.
 */
export async function rememberedShapes(root: string, partition: string): Promise<Shapes> {
  const uri = below(root, shapesPath(partition));
  const found = await storageFor(uri).readVersioned(uri);
  return found === undefined
    ? {}
    : decodeOutputDocument(found.bytes, shapesSchema, 'list of shapes', uri).shards;
}

async function rememberShapes(root: string, partition: string, shapes: Shapes): Promise<void> {
  const document = { formatVersion: OUTPUT_FORMAT_VERSION, shards: shapes };
  await writeWhole(below(root, shapesPath(partition)), new TextEncoder().encode(JSON.stringify(document)));
}

/**
 * Shapes of the shards of a listing. Footers that aren't remembered are read, and remembered.
 * @param mayGoOn asked now and then; when it says no, what has been read is remembered
 * @returns in the order of the files; undefined when it was stopped before the end
 */
export async function readShapes(
  root: string,
  partition: string,
  files: readonly ListedFile[],
  remembered: Shapes,
  mayGoOn: () => boolean = () => true,
): Promise<readonly FoundShape[] | undefined> {
  const found: FoundShape[] = [];
  const kept: Shapes = {};
  let hasNews = false;
  let isWhole = true;
  try {
    for (let at = 0; at < files.length; at += SHARDS_PER_LOOK) {
      if (at > 0 && hasNews && !mayGoOn()) {
        isWhole = false;
        break;
      }
      const some = files.slice(at, at + SHARDS_PER_LOOK);
      for (const each of await mapConcurrently(some, READS_AT_A_TIME, (file) =>
        findShape(file, remembered),
      )) {
        found.push(each);
        if (!('shape' in each)) continue;
        const { shard, version, rowCounts } = each.shape;
        kept[shard] = [version, [...rowCounts]];
        hasNews ||= remembered[shard]?.[0] !== version;
      }
    }
  } catch (error) {
    // Tried again, the rest is read: a store that is throttled isn't asked for all of it once more.
    if (hasNews) await rememberShapes(root, partition, { ...remembered, ...kept }).catch(() => undefined);
    throw error;
  }
  // What was remembered of shards that weren't reached stays for the next call.
  if (hasNews) await rememberShapes(root, partition, isWhole ? kept : { ...remembered, ...kept });
  return isWhole ? found : undefined;
}

async function findShape(file: ListedFile, remembered: Shapes): Promise<FoundShape> {
  const { uri, relativePath: shard, version, sizeBytes } = file;
  const known = remembered[shard];
  if (known?.[0] === version) return { file, shape: { shard, version, sizeBytes, rowCounts: known[1] } };
  try {
    // The version that is read: another one than the listing's is an error, and the next plan lists anew.
    return { file, shape: { shard, ...(await readShardShape(uri, { sizeBytes, version })) } };
  } catch (error) {
    if (!isBrokenShard(error, uri)) throw error;
    return { file, error };
  }
}
