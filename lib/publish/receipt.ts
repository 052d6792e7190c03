import { tableFromIPC, type Vector } from 'apache-arrow';
import { z } from 'zod';
import { sha256 } from '../base/digest.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import { storageFor } from '../storage/openStorage.ts';
import { type ModelIdentity, modelIdentitySchema } from './modelIdentity.ts';
import { decodeOutputDocument, partUri, receiptUri } from './outputLayout.ts';
import { partIdOf, type Span, spanSchema } from './span.ts';

/** Of one score column; null in a part without rows. */
const statisticsSchema = z.strictObject({
  min: z.number().nullable(),
  max: z.number().nullable(),
  mean: z.number().nullable(),
});

/** What a part is, found by reading it back. */
export const receiptSchema = z.strictObject({
  formatVersion: z.literal(1),
  partId: z.string(),
  partition: z.string(),
  ...spanSchema.shape,
  model: modelIdentitySchema,
  uri: z.string(),
  sizeBytes: z.int(),
  sha256: z.string(),
  statistics: z.strictObject({ pctr: statisticsSchema, pcvr: statisticsSchema, pctcvr: statisticsSchema }),
});
export type Receipt = Readonly<z.infer<typeof receiptSchema>>;
type ScoreStatistics = z.infer<typeof statisticsSchema>;

/** Whose part it is. */
export interface PartPlace {
  readonly root: string;
  readonly partition: string;
  readonly model: ModelIdentity;
}

/** The receipt of finished work: undefined unless its part is there too, with the receipt's length. */
export async function readReceipt(
  span: Span,
  { root, partition, model }: PartPlace,
): Promise<Receipt | undefined> {
  const uri = receiptUri(root, partition, partIdOf(span, model));
  const found = await storageFor(uri).readVersioned(uri);
  if (found === undefined) return undefined;
  const receipt = decodeOutputDocument(found.bytes, receiptSchema, 'receipt', uri);
  const part = await storageFor(receipt.uri).stat(receipt.uri);
  return part?.sizeBytes === receipt.sizeBytes ? receipt : undefined;
}

/**
 * Reads a part back and writes its receipt, unless there is one. Depends on the part alone, so that all
 * who write it write the same bytes.
 * @param keyColumns the contract's row keys
 * @throws Ncs4cvrError PUBLISH_PART_INVALID when the part isn't what was to be scored
 */
export async function writeReceipt(
  span: Span,
  { root, partition, model }: PartPlace,
  keyColumns: readonly string[],
): Promise<Receipt> {
  const partId = partIdOf(span, model);
  const uri = partUri(root, partition, partId);
  const bytes = await storageFor(uri).readWhole(uri);
  const table = tableFromIPC(bytes);
  if (table.numRows !== span.rows) {
    throw invalidPart(uri, `${span.rows} rows`, `${table.numRows}`);
  }
  const names = table.schema.fields.map(({ name }) => name);
  const wanted = [...keyColumns, ...SCORE_NAMES];
  if (names.join() !== wanted.join()) throw invalidPart(uri, wanted.join(', '), names.join(', '));
  for (const name of wanted) {
    const nullCount = table.getChild(name)!.nullCount;
    if (nullCount > 0) throw invalidPart(uri, `no nulls in ${name}`, `${nullCount}`);
  }
  const [pctr, pcvr, pctcvr] = SCORE_NAMES.map((name) => statisticsOf(table.getChild(name)!, name, uri));
  const receipt: Receipt = {
    formatVersion: 1,
    partId,
    partition,
    ...span,
    model,
    uri,
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    statistics: { pctr: pctr!, pcvr: pcvr!, pctcvr: pctcvr! },
  };
  const target = receiptUri(root, partition, partId);
  await storageFor(target).createIfAbsent(target, encodeJson(receipt));
  return receipt;
}

function statisticsOf(column: Vector, name: string, uri: string): ScoreStatistics {
  const values = column.toArray() as Float32Array;
  if (values.length === 0) return { min: null, max: null, mean: null };
  let [min, max, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of values) {
    // NaN fails too.
    if (!(value >= 0 && value <= 1)) throw invalidPart(uri, `${name} from 0 to 1`, String(value));
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  return { min, max, mean: sum / values.length };
}

function invalidPart(uri: string, expected: string, found: string): Ncs4cvrError {
  return new Ncs4cvrError('PUBLISH_PART_INVALID', "a part isn't what was to be scored", {
    file: uri,
    expected,
    found,
  });
}
