import { z } from 'zod';
import { DAY_MILLIS } from '../base/calendarDay.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { isWholeDay } from '../gates/judgeRows.ts';
import { comparesPublications, type GateSettings } from '../job/gateSettings.ts';
import type { InputPartition } from '../job/jobInput.ts';
import { fileListSchema } from '../job/partitionFiles.ts';
import { type LaidOutPartition, layOutPartition, type PartitionLayout } from '../job/partitionLayout.ts';
import { listIfAny } from '../storage/openStorage.ts';
import { joinUri, pathSchema } from '../storage/uri.ts';
import { type Pointer, type Publication, readPointer } from './pointer.ts';

/** A manifest by its name: its path follows from it. */
const publicationNameSchema = z.strictObject({
  partition: pathSchema,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type PublicationName = Readonly<z.infer<typeof publicationNameSchema>>;

/** Where a partition's shards are, see InputPartition. */
const inputPartitionSchema = z.strictObject({
  partition: pathSchema,
  inputUri: z.string().min(1),
  fileList: fileListSchema.optional(),
});

/**
 * What gates compare a partition with, chosen when its run is planned: whoever publishes it later, or tries again, judges by
 * the same.
 */
export const earlierPublicationsSchema = z.strictObject({
  /** The partition's own, as it was visible then. Neither it nor the next two is one that an operator has released. */
  own: publicationNameSchema.optional(),
  /** Of the nearest day before, with the same other keys and hour. */
  previous: publicationNameSchema.optional(),
  /** Of the same weekday before, where that is another one. */
  weekday: publicationNameSchema.optional(),
  /** Of the nearest days before and after: the same content may not be published twice. */
  near: z.array(publicationNameSchema).readonly(),
  /**
   * Days of the same run before this one, the nearest first, of which nothing was published: their input is compared, which doesn't
   * depend on how far the run has come. Absent without any.
   */
  unpublished: z.array(inputPartitionSchema).min(1).readonly().optional(),
  /**
   * The hours around this one and the regions beside it, the nearest first: what is published of them, then of those of the day before,
   * and the input of those that the same run takes before it. A writer's retry that took the wrong folder leaves their files here. Absent without any.
   */
  beside: z
    .strictObject({
      published: z.array(publicationNameSchema).readonly(),
      inputs: z.array(inputPartitionSchema).readonly(),
    })
    .optional(),
  /** Is the partition a day and no part of one, by the job's layout? Absent where its name says the same (`isWholeDay`). */
  isWholeDay: z.boolean().optional(),
  /** The partition is an hour or a region of a day, by the job's layout. Absent otherwise. */
  isPartOfDay: z.literal(true).optional(),
});
export type EarlierPublications = Readonly<z.infer<typeof earlierPublicationsSchema>>;

/** A day further back says little of this one. */
const DAYS_BACK = 35;
/** Days whose content is compared. */
const NEAR_DAYS = 7;
/** Hours and regions whose content is compared, as many as lie within so many hours. */
const NEAR_PARTS = 7;
const NEAR_HOURS = 7;
const READS_AT_A_TIME = 8;

/** Of the same run, with nothing published. */
type PlannedPart = LaidOutPartition & { readonly input: InputPartition };

/** What is visible of a partition. */
type VisibleOf = (partition: string) => Promise<Publication | undefined>;

/**
 * Finds what a run's partitions are to be compared with: one listing of the pointers for all of them, and a read of each
 * pointer that counts. Under a layout without a day there is nothing but the partition's own; nothing at all where no gate
 * compares publications.
 * @param inputs of the run's partitions
 * @param pointers of the partitions, as they were read
 * @returns by partition
 */
export async function earlierPublications(
  root: string,
  gates: GateSettings,
  layout: PartitionLayout,
  inputs: readonly InputPartition[],
  pointers: ReadonlyMap<string, Pointer | undefined>,
): Promise<ReadonlyMap<string, EarlierPublications>> {
  const partitions = inputs.map(({ partition }) => partition);
  if (!comparesPublications(gates)) {
    return new Map(partitions.map((partition) => [partition, { near: [] }]));
  }
  const laidOut = (partition: string) => {
    const found = layOutPartition(layout, partition);
    return typeof found === 'string' || found.day === undefined ? undefined : found;
  };
  const listed = layout.hasDay ? await listIfAny(joinUri(root, 'pointers')) : [];
  const published = listed.flatMap(({ relativePath }) => laidOut(relativePath.replace(/\.json$/, '')) ?? []);
  const known = new Map(
    [...pointers].map(([partition, pointer]) => [partition, Promise.resolve(pointer?.current)]),
  );
  const visibleOf: VisibleOf = (partition) => {
    const found =
      known.get(partition) ?? readPointer(root, partition).then(({ pointer }) => pointer?.current);
    known.set(partition, found);
    return found;
  };
  const planned = inputs.flatMap((input) => {
    const day = pointers.get(input.partition) === undefined ? laidOut(input.partition) : undefined;
    return day === undefined ? [] : { ...day, input };
  });
  const found = await mapConcurrently(partitions, READS_AT_A_TIME, async (partition) => {
    const itself = laidOut(partition);
    const others = itself === undefined ? [] : comparable(itself, published);
    const unpublished = itself === undefined ? [] : daysBefore(itself, planned);
    const found = await chosen(partition, others, visibleOf);
    const beside =
      itself === undefined ? undefined : await partsBeside(itself, published, planned, visibleOf);
    const more = {
      ...(beside === undefined ? {} : { beside }),
      ...(unpublished.length === 0 ? {} : { unpublished }),
      ...unlikeItsName(partition, layout),
      ...(itself !== undefined && isPartOfDay(itself) ? { isPartOfDay: true as const } : {}),
    };
    return [partition, { ...found, ...more }] as const;
  });
  return new Map(found);
}

function unlikeItsName(partition: string, layout: PartitionLayout): Pick<EarlierPublications, 'isWholeDay'> {
  const found = layOutPartition(layout, partition);
  // Of a partition that isn't the layout's, the name is all that is known.
  if (typeof found === 'string') return {};
  const isDay = found.day !== undefined && found.hour === undefined && found.others.length === 0;
  return isDay === isWholeDay(partition) ? {} : { isWholeDay: isDay };
}

function isPartOfDay({ hour, others }: LaidOutPartition): boolean {
  return hour !== undefined || others.length > 0;
}

interface Comparable {
  readonly partition: string;
  /** From the partition to this one; negative before it. */
  readonly days: number;
}

/** Partitions of other days that differ in the day alone, the nearest first, and of two as near the earlier one. */
function comparable(itself: LaidOutPartition, published: readonly LaidOutPartition[]): Comparable[] {
  const key = ({ hour, others }: LaidOutPartition) => JSON.stringify([hour ?? null, others]);
  return published
    .filter((other) => key(other) === key(itself) && other.day !== itself.day)
    .map(({ partition, day }) => ({
      partition,
      days: Math.round((Date.parse(day!) - Date.parse(itself.day!)) / DAY_MILLIS),
    }))
    .sort((a, b) => Math.abs(a.days) - Math.abs(b.days) || a.days - b.days);
}

/** Of the days of a run that are as near as those whose content is compared. */
function daysBefore(itself: LaidOutPartition, planned: readonly PlannedPart[]): InputPartition[] {
  const inputOf = new Map(planned.map(({ partition, input }) => [partition, input]));
  return comparable(itself, planned)
    .filter(({ days }) => days < 0 && days >= -NEAR_DAYS)
    .map(({ partition }) => inputOf.get(partition)!);
}

/**
 * Hours around this one, and regions of the same hour or day, the nearest first.
 * @param hoursBack around the time so many hours before it instead
 */
function partsNear<Other extends LaidOutPartition>(
  itself: LaidOutPartition,
  others: readonly Other[],
  hoursBack = 0,
) {
  const hourOf = ({ day, hour }: LaidOutPartition) => (24 * Date.parse(day!)) / DAY_MILLIS + (hour ?? 0);
  return others
    .filter(({ partition }) => partition !== itself.partition)
    .map((other) => ({ other, hours: Math.round(hourOf(other) - hourOf(itself)) + hoursBack }))
    .filter(({ hours }) => Math.abs(hours) <= NEAR_HOURS)
    .sort(
      (a, b) =>
        Math.abs(a.hours) - Math.abs(b.hours) ||
        a.hours - b.hours ||
        (a.other.partition < b.other.partition ? -1 : 1),
    );
}

async function partsBeside(
  itself: LaidOutPartition,
  published: readonly LaidOutPartition[],
  planned: readonly PlannedPart[],
  visibleOf: VisibleOf,
): Promise<EarlierPublications['beside']> {
  const near = partsNear(itself, published).slice(0, NEAR_PARTS);
  // A writer that is an hour off, or takes a region for another, and stale as well, leaves there what yesterday's other hours and
  // regions show. Yesterday's own counterpart is among the nearest days.
  const counterparts = new Set(comparable(itself, published).map(({ partition }) => partition));
  const taken = new Set(near.map(({ other }) => other.partition));
  const dayBefore = partsNear(itself, published, 24)
    .filter(({ other: { partition } }) => !counterparts.has(partition) && !taken.has(partition))
    .slice(0, NEAR_PARTS);
  const visible = await Promise.all(
    [...near, ...dayBefore].map(({ other }) => nameOf(other.partition, visibleOf)),
  );
  const inputs = partsNear(itself, planned)
    .filter(({ other, hours }) => hours < 0 || (hours === 0 && other.partition < itself.partition))
    .slice(0, NEAR_PARTS)
    .map(({ other }) => other.input);
  const found = { published: visible.filter((name) => name !== undefined), inputs };
  return found.published.length + inputs.length === 0 ? undefined : found;
}

async function nameOf(partition: string, visibleOf: VisibleOf): Promise<PublicationName | undefined> {
  const visible = await visibleOf(partition);
  return visible === undefined ? undefined : { partition, sha256: visible.sha256 };
}

async function chosen(
  partition: string,
  others: readonly Comparable[],
  visibleOf: VisibleOf,
): Promise<EarlierPublications> {
  const before = others.filter(({ days }) => days < 0 && days >= -DAYS_BACK);
  /** What a gate had blocked says nothing of how a night should be: whoever is judged by it is blocked for being well. */
  const firstTrusted = async (names: readonly string[]): Promise<PublicationName | undefined> => {
    for (const name of names) {
      const visible = await visibleOf(name);
      if (visible !== undefined && visible.isReleased !== true) {
        return { partition: name, sha256: visible.sha256 };
      }
    }
    return undefined;
  };
  const namesOf = (days: readonly Comparable[]) => days.map((day) => day.partition);
  const [own, last, same, ...near] = await Promise.all([
    firstTrusted([partition]),
    firstTrusted(namesOf(before)),
    firstTrusted(namesOf(before.filter(({ days }) => days % 7 === 0))),
    ...namesOf(others.slice(0, NEAR_DAYS)).map((name) => nameOf(name, visibleOf)),
  ]);
  return {
    ...(own === undefined ? {} : { own }),
    ...(last === undefined ? {} : { previous: last }),
    ...(same === undefined || same.partition === last?.partition ? {} : { weekday: same }),
    near: near.filter((name) => name !== undefined),
  };
}
