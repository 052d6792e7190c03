import { join } from 'node:path';
import { Field, Int64, Utf8, vectorFromArray } from 'apache-arrow';
import { PredictionWriter } from '../../lib/arrow/predictionWriter.ts';
import type { KeyedPart } from '../../lib/keys/openFingerprints.ts';
import { fingerprintsPath, partPath } from '../../lib/publish/outputLayout.ts';
import { readBackPart } from '../../lib/publish/readBackPart.ts';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { writeWhole } from '../../lib/storage/openStorage.ts';

export const PARTITION = 'dt=2024-03-09';
const KEY_FIELDS = [new Field('user', new Int64(), false), new Field('request', new Utf8(), false)];

export interface KeyedRow {
  readonly user: number;
  readonly request: string;
  readonly pctr?: number;
  readonly pcvr?: number;
}

/**
 * Writes a part below `root` with its fingerprints, as a scorer does.
 * @param shards rows of each shard; a span each
 * @param batchRows rows of a record batch
 */
export async function writeKeyedPart(
  root: string,
  partId: string,
  shards: Readonly<Record<string, readonly KeyedRow[]>>,
  batchRows = 1_000,
): Promise<KeyedPart> {
  const path = partPath(PARTITION, partId);
  const uri = join(root, path);
  const file = await localDisk.createAtomic(uri);
  const writer = await PredictionWriter.open({ file, keyFields: KEY_FIELDS, metadata: new Map() });
  const rows = Object.values(shards).flat();
  for (let start = 0; start < rows.length; start += batchRows) {
    const batch = rows.slice(start, start + batchRows);
    const users = vectorFromArray(
      batch.map(({ user }) => BigInt(user)),
      new Int64(),
    );
    const requests = vectorFromArray(
      batch.map(({ request }) => request),
      new Utf8(),
    );
    const pctr = Float32Array.from(batch, (row) => row.pctr ?? 0.25);
    const pcvr = Float32Array.from(batch, (row) => row.pcvr ?? 0.5);
    const pctcvr = pctr.map((score, row) => score * pcvr[row]!);
    await writer.write({ keys: [users.data[0]!, requests.data[0]!], pctr, pcvr, pctcvr });
  }
  await writer.finish();
  await file.commit();
  const spans = Object.entries(shards).map(([shard, { length }]) => ({
    ...{ shard, version: 'v', sizeBytes: 1, firstRowGroup: 0, endRowGroup: 1 },
    rows: length,
  }));
  const keyColumns = KEY_FIELDS.map(({ name }) => name);
  const { keys, fingerprintBytes } = await readBackPart(uri, { rows: rows.length, spans }, keyColumns);
  if (rows.length === 0) return { partId, path, rows: 0, spans, keys: { ...keys, fingerprints: null } };
  const fingerprints = { path: fingerprintsPath(PARTITION, partId), sizeBytes: fingerprintBytes.length };
  await writeWhole(join(root, fingerprints.path), fingerprintBytes);
  return { partId, path, rows: rows.length, spans, keys: { ...keys, fingerprints } };
}
