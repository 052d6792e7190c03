import { z } from 'zod';
import { encodeJson } from '../base/jsonDocument.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { storageFor } from '../storage/openStorage.ts';
import { pathSchema } from '../storage/uri.ts';
import { below, decodeOutputDocument, planPath } from './outputLayout.ts';
import { type Part, partSchema } from './part.ts';
import { type PartitionRun, partitionRunSchema } from './partitionRun.ts';
import { type Span, spanSchema } from './span.ts';

/** A part of so many spans that they stand in a document of their own. */
const largePartSchema = partSchema.omit({ spans: true }).extend({
  /** Path of that document below the output root. */
  spansPath: pathSchema,
});

/** What was scored of the first part of a unit before its worker's time was up. */
const progressSchema = z.strictObject({
  /** Paths of the Arrow files that hold it, in order, below the output root. */
  segments: z.array(pathSchema).min(1).readonly(),
  /** Where to go on: place in the part's spans, and row group of that shard. */
  span: z.int().min(0),
  rowGroup: z.int().min(0),
});
export type PartProgress = Readonly<z.infer<typeof progressSchema>>;

/** What calls of a score function have taken of a unit so far; those that failed are not in it. */
export const unitUsageSchema = z.strictObject({
  /** By the function's own clock, the start of its process included. */
  gigabyteSeconds: z.number().min(0),
  calls: z.int().min(1),
});
export type UnitUsage = Readonly<z.infer<typeof unitUsageSchema>>;

/** What one worker is asked to do at a time: parts of one partition. Small enough for an item of a map. */
export const workUnitSchema = partitionRunSchema
  .pick({
    formatVersion: true,
    root: true,
    modelUri: true,
    model: true,
    partition: true,
    inputUri: true,
    countLabels: true,
    badRows: true,
  })
  .extend({
    parts: z
      .array(z.union([partSchema, largePartSchema]))
      .min(1)
      .readonly(),
    progress: progressSchema.optional(),
    /** Of calls before, where this is the rest that they left. */
    usage: unitUsageSchema.optional(),
  });
export type WorkUnit = Readonly<z.infer<typeof workUnitSchema>>;
export type UnitPart = WorkUnit['parts'][number];

/** Spans, and their bytes, that stand in a unit: an item of a map may have 256 KiB, and names of shards up to a kilobyte. */
const SPANS_PER_UNIT = 500;
const SPAN_BYTES_PER_UNIT = 180_000;
/** Documents of large parts that are written at a time. */
const WRITES_AT_A_TIME = 16;

/**
 * Open parts of a partition as units: a part of `targetRows` rows or more is a unit of its own, small ones are put
 * together until they have as many. Order and cuts follow from the parts alone. The spans of a very large part are written
 * below the output root.
 */
export async function workUnits(run: PartitionRun, parts: readonly Part[]): Promise<WorkUnit[]> {
  const { formatVersion, root, modelUri, model, partition, inputUri, countLabels, badRows } = run;
  const named = await mapConcurrently(parts, WRITES_AT_A_TIME, (part) => namedPart(root, part));
  return batchParts(named, run.targetRows).map((batch) => ({
    formatVersion,
    root,
    modelUri,
    model,
    partition,
    inputUri,
    ...(countLabels === undefined ? {} : { countLabels }),
    ...(badRows === undefined ? {} : { badRows }),
    parts: batch,
  }));
}

/** Do a part's spans stand in a document of their own, as too many for a unit? */
export function isLargePart({ spans }: Pick<Part, 'spans'>): boolean {
  return spans.length > SPANS_PER_UNIT || bytesOf(spans) > SPAN_BYTES_PER_UNIT;
}

function bytesOf(spans: readonly Span[]): number {
  return Buffer.byteLength(JSON.stringify(spans));
}

async function namedPart(root: string, part: Part): Promise<UnitPart> {
  if (!isLargePart(part)) return part;
  const { partId, rows, spans } = part;
  const spansPath = planPath(`${partId}.spans`);
  const uri = below(root, spansPath);
  await storageFor(uri).createIfAbsent(uri, encodeJson(spans));
  return { partId, rows, spansPath };
}

export async function spansOf(root: string, part: UnitPart): Promise<readonly Span[]> {
  if ('spans' in part) return part.spans;
  const uri = below(root, part.spansPath);
  const bytes = await storageFor(uri).readWhole(uri);
  return decodeOutputDocument(bytes, z.array(spanSchema), 'list of spans', uri);
}

/** Parts that one worker is asked for at a time. */
export function batchParts<P extends UnitPart>(parts: readonly P[], targetRows: number): P[][] {
  const found: P[][] = [];
  let batch: P[] = [];
  let [rows, spans, bytes] = [0, 0, 0];
  for (const part of parts) {
    const [count, size] = 'spans' in part ? [part.spans.length, bytesOf(part.spans)] : [0, 0];
    const isFull =
      rows + part.rows > targetRows ||
      spans + count > SPANS_PER_UNIT ||
      bytes + size > SPAN_BYTES_PER_UNIT ||
      batch.length === SPANS_PER_UNIT;
    if (batch.length > 0 && isFull) {
      found.push(batch);
      [batch, rows, spans, bytes] = [[], 0, 0, 0];
    }
    batch.push(part);
    rows += part.rows;
    spans += count;
    bytes += size;
  }
  return batch.length === 0 ? found : [...found, batch];
}
