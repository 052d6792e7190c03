import { z } from 'zod';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { isWholeDay } from '../gates/judgeRows.ts';
import { comparesPublications, type GateSettings } from '../job/gateSettings.ts';
import type { InputPartition } from '../job/jobInput.ts';
import { fileListSchema } from '../job/partitionFiles.ts';
import { type LaidOutPartition, layOutPartition, type PartitionLayout } from '../job/partitionLayout.ts';
import { listIfAny } from '../storage/openStorage.ts';
import { joinUri, pathSchema } from '../storage/uri.ts';
import { PartitionIndex } from './partitionIndex.ts';
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

type OtherDay = ReturnType<PartitionIndex<LaidOutPartition>['ofOtherDays']>[number];

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
  const published = new PartitionIndex(
    listed.flatMap(({ relativePath }) => laidOut(relativePath.replace(/\.json$/, '')) ?? []),
  );
  const known = new Map(
    [...pointers].map(([partition, pointer]) => [partition, Promise.resolve(pointer?.current)]),
  );
  const visibleOf: VisibleOf = (partition) => {
    const found =
      known.get(partition) ?? readPointer(root, partition).then(({ pointer }) => pointer?.current);
    known.set(partition, found);
    return found;
  };
  const planned = new PartitionIndex(
    inputs.flatMap((input) => {
      const day = pointers.get(input.partition) === undefined ? laidOut(input.partition) : undefined;
      return day === undefined ? [] : { ...day, input };
    }),
  );
  const found = await mapConcurrently(partitions, READS_AT_A_TIME, async (partition) => {
    const itself = laidOut(partition);
    const others = itself === undefined ? [] : published.ofOtherDays(itself);
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
  const isDay = found.day !== undefined && !isPartOfDay(found);
  return isDay === isWholeDay(partition) ? {} : { isWholeDay: isDay };
}

function isPartOfDay({ hour, others }: LaidOutPartition): boolean {
  return hour !== undefined || others.length > 0;
}

/** Of the days of a run that are as near as those whose content is compared. */
function daysBefore(itself: LaidOutPartition, planned: PartitionIndex<PlannedPart>): InputPartition[] {
  return planned
    .ofOtherDays(itself)
    .filter(({ days }) => days < 0 && days >= -NEAR_DAYS)
    .map(({ other }) => other.input);
}

async function partsBeside(
  itself: LaidOutPartition,
  published: PartitionIndex<LaidOutPartition>,
  planned: PartitionIndex<PlannedPart>,
  visibleOf: VisibleOf,
): Promise<EarlierPublications['beside']> {
  const near = published.ofHoursAround(itself, NEAR_HOURS).slice(0, NEAR_PARTS);
  // A writer that is an hour off, or takes a region for another, and stale as well, leaves there what yesterday's other hours and
  // regions show. Yesterday's own counterpart is among the nearest days.
  const counterparts = published.ofOtherDays(itself);
  const known = new Set([...counterparts, ...near].map(({ other }) => other.partition));
  const dayBefore = published
    .ofHoursAround(itself, NEAR_HOURS, 24)
    .filter(({ other }) => !known.has(other.partition))
    .slice(0, NEAR_PARTS);
  const visible = await Promise.all(
    [...near, ...dayBefore].map(({ other }) => nameOf(other.partition, visibleOf)),
  );
  const inputs = planned
    .ofHoursAround(itself, NEAR_HOURS)
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
  others: readonly OtherDay[],
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
  const namesOf = (days: readonly OtherDay[]) => days.map(({ other }) => other.partition);
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
