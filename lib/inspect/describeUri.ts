import { DataType, type RecordBatch } from 'apache-arrow';
import { openPredictions, readPredictions } from '../arrow/readPredictions.ts';
import { RowKeyBytes } from '../arrow/rowKeyBytes.ts';
import { keyBytesText, keyTexts } from '../arrow/rowKeyText.ts';
import { ProblemsError, StorageError } from '../base/errors.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import {
  type BundleManifest,
  bundleLayout,
  embeddingsBytes,
  isBundle,
  modelFileOf,
  readBundleManifest,
  trainedNetwork,
} from '../bundle/bundleManifest.ts';
import { loadBundle } from '../bundle/loadBundle.ts';
import { readReference } from '../bundle/readReference.ts';
import { featureName } from '../features/contract.ts';
import { labelText } from '../features/labelValues.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { storageFor } from '../storage/openStorage.ts';
import type { RandomAccessFile, Storage } from '../storage/storage.ts';
import { joinPath } from '../storage/uri.ts';
import { describeOnnx } from './describeOnnx.ts';
import { describeShard, describeShardFolder } from './describeShards.ts';
import type { Description } from './description.ts';

/** Tells what a bundle holds by its manifest and its reference; its other files may be larger than this machine's memory. */
async function describeBundle(uri: string, verify: boolean): Promise<Description> {
  const storage = storageFor(uri);
  if (verify) await loadBundle(storage, uri);
  const manifest = await readBundleManifest(storage, uri);
  const { labels, contract, multiplyAddsPerRow } = manifest;
  await refuseOtherSizes(storage, uri, manifest);
  const reference = await readReference(storage, uri, manifest);
  const layout = bundleLayout(uri, contract);
  const isOwn = trainedNetwork(manifest) === undefined;
  const rowsOf = new Map(layout.tables.map((table) => [table.name, table.rowCount]));
  const facts = {
    'model version': manifest.modelVersion,
    network: networkText(manifest),
    ...(isOwn ? {} : { 'embedding rows': layout.embeddingRowCount }),
    'model size': `${modelFileOf(manifest).sizeBytes} bytes`,
    ...(!isOwn && {
      'embeddings size': `${embeddingsBytes(manifest)} bytes in ${layout.tables.length} files`,
    }),
    ...(multiplyAddsPerRow && {
      'multiply-adds': `${multiplyAddsPerRow.scored} per row, of ${multiplyAddsPerRow.trained} in the network as it was trained`,
    }),
    'model sha256': modelFileOf(manifest).sha256,
    contract: manifest.contractFingerprint,
    'row keys': contract.rowKeys.join(', '),
    labels:
      labels === undefined
        ? 'none'
        : `click = ${labelText(labels.click)}, conversion = ${labelText(labels.conversion)}`,
    ...originOf(manifest),
    reference:
      reference === undefined
        ? 'none: gates have nothing to compare a first night with'
        : describeReference(reference),
    verified: verify
      ? 'sizes, checksums, interface and golden rows'
      : 'sizes alone; with --verify, checksums, interface and golden rows too',
  };
  const features = [
    ['feature', 'kind', 'column', 'table', 'rows'],
    ...contract.features.map((feature) => {
      const name = featureName(feature);
      const table =
        feature.kind === 'numeric'
          ? '-'
          : feature.kind === 'bucketed' || typeof feature.table !== 'string'
            ? name
            : feature.table;
      return [name, feature.kind, feature.column, table, String(rowsOf.get(table) ?? '-')];
    }),
  ];
  return { kind: 'model bundle', uri, facts, tables: { features } };
}

function networkText({ network }: BundleManifest): string {
  if (network.kind === 'own') return `own, ${network.file} by ${network.producer}, opset ${network.opset}`;
  return network.kind === 'ncs' ? `ncs, ${network.hidden.join('-')}` : network.kind;
}

/** Which rows made the model; of an own one, which rows its reference tells of. */
function originOf({ network, training }: BundleManifest): Description['facts'] {
  const { data, trainSplit, trainRows, validationSplit, validationRows, finishedAt, seed } = training;
  const isOwn = network.kind === 'own';
  return {
    [isOwn ? 'bins from' : 'trained on']: `${data}, ${trainSplit} (${trainRows} rows)`,
    [isOwn ? 'compared with' : 'chosen on']: `${validationSplit} (${validationRows} rows)`,
    finished: `${finishedAt}, ${isOwn ? '' : `seed ${seed}, `}code ${training.codeVersion}`,
  };
}

const FILES_AT_A_TIME = 16;

/** Reads none of the files. @throws ProblemsError BUNDLE_CORRUPT */
async function refuseOtherSizes(storage: Storage, uri: string, { files }: BundleManifest): Promise<void> {
  const problems = await mapConcurrently(
    Object.entries(files),
    FILES_AT_A_TIME,
    async ([path, { sizeBytes }]) => {
      const found = (await storage.stat(joinPath(uri, path)))?.sizeBytes;
      return found === sizeBytes ? [] : [`${path}: expected ${sizeBytes} bytes, found ${found ?? 'none'}`];
    },
  );
  if (problems.flat().length === 0) return;
  throw new ProblemsError('BUNDLE_CORRUPT', 'the bundle was changed or damaged', problems.flat(), {
    file: uri,
  });
}

function describeReference({ rows, days, scores, slices, repeatedKeys }: ModelReference): string {
  const facts = [
    `${rows} rows with mean pCTR ${scores.pctr.mean.toPrecision(4)} and pCVR ${scores.pcvr.mean.toPrecision(4)}`,
    days.length === 0 ? 'no days' : `${days.length} days from ${days[0]!.day} to ${days.at(-1)!.day}`,
    slices.length === 0 ? 'no slices' : `slices by ${slices.map(({ name }) => name).join(', ')}`,
    `up to ${(100 * repeatedKeys).toPrecision(3)}% of a day's rows with a repeated key`,
  ];
  return facts.join('; ');
}

const SHOWN_ROWS = 5;

/** A prediction file: its metadata, columns, rows (counted batch by batch), and the first few of them. */
async function describePredictions(file: RandomAccessFile): Promise<Description> {
  const { rowCount, batchCount, schema, metadata } = await readPredictions(file);
  const facts = {
    rows: rowCount,
    'record batches': batchCount,
    size: `${file.sizeBytes} bytes`,
    ...Object.fromEntries(metadata),
  };
  const columns = [
    ['column', 'type', 'nullable'],
    ...schema.fields.map(({ name, type, nullable }) => [name, String(type), nullable ? 'yes' : 'no']),
  ];
  const firstRows = [schema.fields.map(({ name }) => name), ...(await firstRowsOf(file))];
  return { kind: 'prediction file', uri: file.uri, facts, tables: { columns, firstRows } };
}

/** As text: keys as `explain` takes them. */
async function firstRowsOf(file: RandomAccessFile): Promise<string[][]> {
  const rows: string[][] = [];
  for await (const batch of (await openPredictions(file)).batches) {
    const texts = batch.schema.fields.map(({ name, type }) => textsOf(batch, name, type));
    for (let row = 0; row < batch.numRows && rows.length < SHOWN_ROWS; row++) {
      rows.push(texts.map((textAt) => textAt(row)));
    }
    if (rows.length === SHOWN_ROWS) break;
  }
  return rows;
}

function textsOf(batch: RecordBatch, name: string, type: DataType): (row: number) => string {
  if (!DataType.isDate(type) && !DataType.isTimestamp(type)) {
    const column = batch.getChild(name)!;
    return (row) => showValue(column.get(row), type);
  }
  // Arrow gives milliseconds, and two keys may differ by less.
  const key = new RowKeyBytes([name]);
  key.use(batch);
  return (row) => {
    const length = key.read(row);
    return String(keyTexts(key.bytes.subarray(0, length), [type])[0]);
  };
}

function showValue(value: unknown, type: DataType): string {
  if (value instanceof Uint8Array) return keyBytesText(value, type);
  if (typeof value !== 'number') return String(value);
  return Number.isInteger(value) ? String(value) : value.toPrecision(6);
}

const FOLDER_CODES: ReadonlySet<string> = new Set(['STORAGE_NOT_A_FILE', 'STORAGE_NOT_FOUND']);
const PARQUET_MAGIC = 'PAR1';
const ARROW_MAGIC = 'ARROW1';

/**
 * Describes what is at a URI: a bundle by its manifest, a folder by its shards, a file by its first bytes, an ONNX model by its name.
 * @param verify whether a bundle is loaded too, as for scoring
 * @throws StorageError INSPECT_UNKNOWN for anything else; the error of a damaged file
 */
export async function describeUri(uri: string, { verify = false } = {}): Promise<Description> {
  const storage = storageFor(uri);
  if (await isBundle(storage, uri)) return describeBundle(uri, verify);
  const file = await storage.open(uri).catch((error: unknown) => {
    // A folder is no object of S3.
    if (error instanceof StorageError && FOLDER_CODES.has(error.code)) return error;
    throw error;
  });
  if (file instanceof StorageError) return describeFolder(uri, file);
  try {
    const head = new Uint8Array(Math.min(ARROW_MAGIC.length, file.sizeBytes));
    await file.readInto(head, 0);
    const magic = Buffer.from(head).toString('latin1');
    if (magic.startsWith(PARQUET_MAGIC)) return await describeShard(file);
    if (magic === ARROW_MAGIC) return await describePredictions(file);
    if (uri.toLowerCase().endsWith('.onnx')) return await describeOnnx(file);
    throw unknown(uri, head.length === 0 ? 'an empty file' : JSON.stringify(magic));
  } finally {
    await file.close();
  }
}

/** @param error of who has tried to open it as a file */
async function describeFolder(uri: string, { code, found }: StorageError): Promise<Description> {
  if (code === 'STORAGE_NOT_A_FILE' && found !== 'a folder') {
    throw unknown(uri, `${found} that is no bundle`);
  }
  const folder = await describeShardFolder(uri);
  if (folder === undefined) throw unknown(uri, 'a folder that is no bundle and has no shard');
  return folder;
}

function unknown(uri: string, found: string): StorageError {
  return new StorageError('INSPECT_UNKNOWN', 'neither a bundle, a shard, a prediction file nor a model', {
    file: uri,
    expected: `a model bundle, a folder of shards, or a file that begins with ${PARQUET_MAGIC} or ${ARROW_MAGIC} or ends in .onnx`,
    found,
  });
}
