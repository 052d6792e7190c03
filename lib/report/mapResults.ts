import { z } from 'zod';
import { decodeJson, jsonIn, parseDocument } from '../base/jsonDocument.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import type { UnreadableFiles } from '../base/unreadableFiles.ts';
import { type Span, spanSchema } from '../publish/span.ts';
import { type UnitUsage, unitUsageSchema } from '../publish/workUnit.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import type { ListedFile } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';

/** A work unit of the state machine, from the start of its item to its end: pauses and further calls are in it. */
export interface MappedUnit {
  /** The execution that ran the item. */
  readonly name: string;
  readonly rows: number;
  readonly partIds: readonly string[];
  /** Since 1970. */
  readonly startMillis: number;
  readonly endMillis: number;
  readonly isFailed: boolean;
  /** As Step Functions tells it; null for one that was done. */
  readonly problem: string | null;
  /** What its calls have taken; null for one that failed, and for those of earlier versions. */
  readonly usage: UnitUsage | null;
}

/** A part that a unit was asked for. */
interface MappedPart {
  readonly partId: string;
  readonly rows: number;
  /** Undefined where they stand in a document of their own. */
  readonly spans?: readonly Span[] | undefined;
}

/** What the state machine's last run for a partition has scored of it. */
export interface MappedRun {
  /** Of the execution. */
  readonly name: string;
  /** In the order in which they began. */
  readonly units: readonly MappedUnit[];
  /** Of these units, each of them once. */
  readonly parts: readonly MappedPart[];
}

/**
 * As Distributed Map writes what became of its items
 * (https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html).
 */
const resultSchema = z.object({
  Name: z.string(),
  StartDate: z.string().transform(toMillis),
  StopDate: z.string().transform(toMillis),
  Output: z.string().optional(),
  Error: z.string().optional(),
  Cause: z.string().optional(),
});
/** As much of a result as tells whether it is a unit's: other maps, and other programs, write files too. */
const anyResultsSchema = z.array(z.object({ Input: z.string().optional() }).loose());

function toMillis(text: string, context: z.RefinementCtx): number {
  const millis = Date.parse(text);
  if (Number.isNaN(millis)) context.addIssue('no date');
  return millis;
}

/** As much of a `WorkUnit` as tells it from the input of another map's item. */
const unitInputSchema = z.object({
  partition: z.string(),
  parts: z.array(
    z.object({
      ...{ partId: z.string(), rows: z.int().min(0) },
      spans: z.array(spanSchema).min(1).optional().catch(undefined),
    }),
  ),
});

/** As much of what `score` returns as a report needs. */
const unitOutputSchema = z.object({ usage: unitUsageSchema });

const RESULT_FILE = /(?:^|\/)(SUCCEEDED|FAILED)_\d+\.json$/;
/** Files that are read to find the units of one partition, the newest first, and bytes of any of them. */
const MOST_FILES = 40;
const MOST_BYTES = 32 * 2 ** 20;
const READS_AT_A_TIME = 4;

/**
 * A partition's last run by the state machine; undefined where it never ran one with a unit of it, or where its records have
 * expired. Files without a unit of the partition are passed over.
 * @param unreadable takes those that might have had one
 */
export async function lastMappedRun(
  root: string,
  partition: string,
  unreadable: UnreadableFiles,
): Promise<MappedRun | undefined> {
  const files = (await listIfAny(joinUri(root, 'runs')))
    .filter(({ relativePath, sizeBytes }) => RESULT_FILE.test(relativePath) && sizeBytes <= MOST_BYTES)
    .sort((a, b) => b.modifiedMillis - a.modifiedMillis)
    .slice(0, MOST_FILES);
  const results: MappedResult[] = [];
  let run: string | undefined;
  for (const file of files) {
    // A map run has a folder of its own, with a file or more of each kind.
    if (run !== undefined && runOf(file) !== run) continue;
    const read = (await unreadable.attempt(() => readResults(file))) ?? [];
    const found = read.filter((unit) => unit.partition === partition);
    if (found.length > 0) run = runOf(file);
    results.push(...found);
  }
  if (run === undefined) return undefined;
  const inOrder = lastOfEach(results).sort((a, b) => a.startMillis - b.startMillis);
  const parts = new Map(inOrder.flatMap((unit) => unit.parts.map((part) => [part.partId, part] as const)));
  return { name: run.split('/')[0]!, units: inOrder.map(unitOf), parts: [...parts.values()] };
}

/**
 * A redrive runs a unit that failed again as the same execution, and its map run writes to the same folder: beside what became of
 * the unit now, a file of the attempt before may still tell of it. One of several that end together is the one that didn't fail.
 */
function lastOfEach(results: readonly MappedResult[]): MappedResult[] {
  const last = new Map<string, MappedResult>();
  for (const unit of results) {
    const key = `${unit.mapRun}/${unit.name}`;
    const known = last.get(key);
    const isLater =
      known === undefined ||
      unit.endMillis > known.endMillis ||
      (unit.endMillis === known.endMillis && known.isFailed);
    if (isLater) last.set(key, unit);
  }
  return [...last.values()];
}

function unitOf({ partition: _, parts: __, mapRun: ___, ...unit }: MappedResult): MappedUnit {
  return unit;
}

/** Result files of one run that are read. */
const MOST_FILES_OF_RUN = 1000;

/**
 * The units of a run by the state machine, of all its partitions.
 * @param name of the execution
 * @returns undefined where there are more than can be read here
 */
export async function unitsOfRun(root: string, name: string): Promise<MappedUnit[] | undefined> {
  const listed = await listIfAny(joinUri(root, 'runs', name));
  const files = listed.filter(({ relativePath }) => RESULT_FILE.test(relativePath));
  if (files.length > MOST_FILES_OF_RUN || files.some(({ sizeBytes }) => sizeBytes > MOST_BYTES))
    return undefined;
  const units = await mapConcurrently(files, READS_AT_A_TIME, readResults);
  return lastOfEach(units.flat()).map(unitOf);
}

function runOf({ relativePath }: ListedFile): string {
  return relativePath.slice(0, relativePath.lastIndexOf('/'));
}

interface MappedResult extends MappedUnit {
  /** Folder of its map run, where the unit's name is its own. */
  readonly mapRun: string;
  readonly partition: string;
  readonly parts: readonly MappedPart[];
}

/** @throws Ncs4cvrError PUBLISH_DOCUMENT_INVALID */
async function readResults(file: ListedFile): Promise<MappedResult[]> {
  const bytes = await storageFor(file.uri).readWhole(file.uri);
  const summary = 'a unit is no result as Step Functions writes it; another program may have changed it';
  const as = { code: 'PUBLISH_DOCUMENT_INVALID', summary, file: file.uri };
  const results = anyResultsSchema.safeParse(decodeJson(bytes, as)).data ?? [];
  // Not anywhere in the path: an execution's name may say so, too.
  const isFailed = RESULT_FILE.exec(file.relativePath)?.[1] === 'FAILED';
  return results.flatMap((result, index) => {
    const input = unitInputSchema.safeParse(jsonIn(result.Input ?? ''));
    if (!input.success) return [];
    const { partition, parts } = input.data;
    const {
      Name,
      Output,
      StartDate,
      StopDate,
      Error: error,
      Cause,
    } = parseDocument(result, resultSchema, {
      ...as,
      path: String(index),
    });
    return [
      {
        ...{
          mapRun: runOf(file),
          partition,
          parts,
          name: Name,
          isFailed,
          partIds: parts.map(({ partId }) => partId),
        },
        rows: parts.reduce((sum, { rows }) => sum + rows, 0),
        startMillis: StartDate,
        endMillis: StopDate,
        usage: unitOutputSchema.safeParse(jsonIn(Output ?? '')).data?.usage ?? null,
        problem: isFailed ? [error, Cause].filter((text) => text !== undefined).join(': ') : null,
      },
    ];
  });
}
