import { isAbsolute, join } from 'node:path';
import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { ProblemsError, StorageError } from '../base/errors.ts';
import { decodeDocument } from '../base/jsonDocument.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { storageFor } from './openStorage.ts';
import type { ListedFile } from './storage.ts';
import { fileKey, joinUri, uriScheme } from './uri.ts';

/** Of a list's files: where all of 100,000 are gone, a function's error would be larger than Lambda hands on. */
const MOST_NAMED = 100;
/** Of files: one request for each on S3. */
const LOOKUPS_AT_A_TIME = 32;
const INVALID = { code: 'INPUT_LIST_INVALID', summary: 'the list of files is invalid' } as const;

/** As Redshift's UNLOAD writes it; what it says beside that is of no interest here. */
const manifestSchema = z.object({
  entries: z.array(
    z.object({
      url: z.string().min(1),
      meta: z.object({ content_length: z.int().min(0).optional() }).optional(),
    }),
  ),
});

/** A file as a list names it. */
export interface ListEntry {
  /** Where it stands in the list, for messages. */
  readonly place: string;
  readonly uri: string;
  /** As the list says, if it does. */
  readonly sizeBytes: number | undefined;
}

/**
 * The files that a list names, and nothing else: how the live files of a table are read, which its folder holds among others.
 * A list is text with a path or URI on each line, or JSON `{"entries": [{"url", "meta": {"content_length"}}]}`. Relative
 * paths start at the list's folder; `s3a://` and `s3n://` are other names of `s3://`.
 * @returns in binary order of the relative paths, which start at the deepest folder that holds all files of the list
 * @throws ProblemsError INPUT_LIST_INVALID with the files that are missing, listed twice or of another size than the list
 * says; StorageError INPUT_EMPTY for a list without files
 */
export async function readFileList(listUri: string): Promise<readonly ListedFile[]> {
  const { entries } = await readListEntries(listUri);
  return withRelativePaths(await findEntries(listUri, entries));
}

/**
 * The files of a list's entries, which nobody has looked at yet.
 * @param known what a listing has told already; a request for each of the others
 * @returns in the order of the entries
 * @throws ProblemsError INPUT_LIST_INVALID, see readFileList
 */
export async function findEntries(
  listUri: string,
  entries: readonly ListEntry[],
  known: (uri: string) => ListedFile | undefined = () => undefined,
): Promise<ListedFile[]> {
  const places = new Map<string, string>();
  const problems: string[] = [];
  const files = await mapConcurrently(entries, LOOKUPS_AT_A_TIME, async ({ uri, sizeBytes, place }) => {
    const found = known(uri) ?? (await findFile(uri));
    if (typeof found === 'string') return `${place}: ${uri}: ${found}`;
    if (sizeBytes === undefined || sizeBytes === found.sizeBytes) return found;
    return `${place}: ${uri}: ${found.sizeBytes} bytes, where the list says ${sizeBytes}`;
  });
  for (const [index, { uri, place }] of entries.entries()) {
    const file = files[index]!;
    if (typeof file === 'string') {
      problems.push(file);
      continue;
    }
    const key = fileKey(uri);
    const before = places.get(key);
    if (before === undefined) places.set(key, place);
    else problems.push(`${place}: ${uri}: the same file as ${before}`);
  }
  if (problems.length > 0) {
    const more = problems.length > MOST_NAMED ? [`and ${problems.length - MOST_NAMED} more`] : [];
    const named = [...problems.slice(0, MOST_NAMED), ...more];
    throw new ProblemsError(INVALID.code, INVALID.summary, named, { file: listUri });
  }
  return files.filter((file) => typeof file !== 'string');
}

/**
 * What a list names, and the digest of its bytes; nothing is asked about the files.
 * @throws ProblemsError INPUT_LIST_INVALID; StorageError INPUT_EMPTY for a list without files
 */
export async function readListEntries(
  listUri: string,
): Promise<{ readonly entries: readonly ListEntry[]; readonly sha256: string }> {
  const bytes = await storageFor(listUri).readWhole(listUri);
  const entries = parseEntries(listUri, bytes);
  if (entries.length > 0) return { entries, sha256: sha256(bytes) };
  throw new StorageError('INPUT_EMPTY', 'the list names no file', {
    file: listUri,
    expected: 'at least one Parquet file',
  });
}

function parseEntries(listUri: string, bytes: Uint8Array): ListEntry[] {
  const text = new TextDecoder().decode(bytes).trimStart();
  if (text.startsWith('{')) {
    const { entries } = decodeDocument(text, manifestSchema, { ...INVALID, file: listUri });
    return entries.map(({ url, meta }, index) => ({
      place: `entries.${index}`,
      uri: resolveEntry(listUri, url),
      sizeBytes: meta?.content_length,
    }));
  }
  return new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line, index) => ({ line: line.trim(), place: `line ${index + 1}` }))
    .filter(({ line }) => line !== '')
    .map(({ line, place }) => ({ place, uri: resolveEntry(listUri, line), sizeBytes: undefined }));
}

function resolveEntry(listUri: string, entry: string): string {
  const scheme = uriScheme(entry);
  if (scheme === 's3a' || scheme === 's3n') return `s3${entry.slice(scheme.length)}`;
  if (scheme !== undefined || isAbsolute(entry)) return entry;
  const folder = listUri.slice(0, listUri.lastIndexOf('/') + 1);
  return uriScheme(listUri) === undefined ? join(folder, entry) : joinUri(folder, entry);
}

/** In words why there is none. */
async function findFile(uri: string): Promise<ListedFile | string> {
  try {
    const found = await storageFor(uri).list(uri);
    const [file] = found;
    if (file?.uri === uri) return file;
    return found.length === 0 ? 'there is no such file' : 'a folder, not a file';
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'STORAGE_NOT_FOUND') return 'there is no such file';
    if (error.code === 'STORAGE_SCHEME_UNSUPPORTED' || error.code === 'STORAGE_URI_INVALID') {
      return `expected ${error.expected}`;
    }
    throw error;
  }
}

/** Names for what is made of the files: as a listing of the folder that holds them all would give. */
function withRelativePaths(files: readonly ListedFile[]): ListedFile[] {
  const paths = files.map(({ uri }) => uri.split('/'));
  const first = paths[0]!;
  let common = Math.min(...paths.map((path) => path.length)) - 1;
  for (const path of paths) {
    while (common > 0 && path.slice(0, common).join('/') !== first.slice(0, common).join('/')) common--;
  }
  // Nothing in common, such as a path on disk and a URI: what is left of a scheme is no name of a folder.
  const relative = (path: readonly string[]) =>
    path
      .slice(common)
      .filter((name) => name !== '' && !/^[a-z0-9]+:$/i.test(name))
      .join('/');
  return files
    .map((file, index) => ({ ...file, relativePath: relative(paths[index]!) }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.relativePath), Buffer.from(b.relativePath)));
}
