import { DAY_MILLIS } from '../base/calendarDay.ts';
import { mapConcurrently } from '../base/mapConcurrently.ts';
import { listTemporaryFiles } from '../storage/diskTemporaryFiles.ts';
import { listIfAny, storageFor } from '../storage/openStorage.ts';
import { listProbes } from '../storage/probeConditions.ts';
import type { ListedFile } from '../storage/storage.ts';
import { joinUri } from '../storage/uri.ts';
import { CLAIM_USE_MILLIS, isMarkLength, newMark } from './garbageMark.ts';
import { below, receiptPath } from './outputLayout.ts';
import { refuseNoRoot } from './publishedState.ts';
import { type ReachedState, reachedStateOf } from './reachedState.ts';

export interface GarbageOptions {
  /** What is younger stays; at least 2, so that a run in progress keeps what it relies on. */
  readonly olderThanDays: number;
  /** Delete, not only list. */
  readonly apply: boolean;
  /** Milliseconds since 1970. */
  readonly nowMillis: number;
}

export interface Garbage {
  /** What this call has deleted, or would delete. */
  readonly files: readonly ListedFile[];
  readonly sizeBytes: number;
  /** Parts that a call a day later may delete. */
  readonly condemnedParts: number;
}

export const LEAST_GARBAGE_DAYS = 2;

/** Folders of what only a run needs: its plans, pieces of long parts, records of its times, and notes that are made anew where they still hold. */
const LEFTOVERS = ['plans', 'segments', 'broken', 'run-records'];
/** Folders of what belongs to a partition. */
const PARTITIONED = ['parts', 'receipts', 'announced', 'audits', 'keys', 'dead-letters'];
/** Objects that are deleted at a time; each takes a few requests. */
const DELETIONS_AT_A_TIME = 16;

/** An object that may go, and how: `remove` looks once more, and says whether it has deleted anything. */
interface Candidate {
  readonly files: readonly ListedFile[];
  readonly remove: () => Promise<boolean>;
}

/** Older than what a call may take. */
type IsOld = (file: ListedFile) => boolean;

interface Found {
  readonly candidates: readonly Candidate[];
  /** Condemns a part each. */
  readonly marks: readonly (() => Promise<unknown>)[];
  readonly waitingParts: number;
}

/**
 * Finds, and with `apply` deletes, what no pointer and no block in force reaches and is older than some days
 * (docs/publish-protocol.md): plans, segments, notes of broken shards, audit documents, markers of old events, what probes of
 * a store have left and, on disk, temporary files at once; a part, and its keys' fingerprints and dead letters with it, only a
 * day after a mark has taken its receipt's place. Before each deletion it looks again, and a part whose mark a run has replaced
 * stays. Manifests and notes of blocked partitions are small and stay. Works on one folder of partitions at a time.
 * @throws StorageError PUBLISH_NO_ROOT when there is no such root
 */
export async function collectGarbage(root: string, options: GarbageOptions): Promise<Garbage> {
  const { olderThanDays, apply, nowMillis } = options;
  if (!(olderThanDays >= LEAST_GARBAGE_DAYS)) throw new RangeError(`olderThanDays: ${olderThanDays}`);
  await refuseNoRoot(root);
  const isOld = ({ modifiedMillis }: ListedFile) => modifiedMillis < nowMillis - olderThanDays * DAY_MILLIS;
  const files: ListedFile[] = [];
  let condemnedParts = 0;
  const work = async ({ candidates, marks, waitingParts }: Found) => {
    if (apply) await mapConcurrently(marks, DELETIONS_AT_A_TIME, (mark) => mark());
    condemnedParts += marks.length + waitingParts;
    const isGone = await mapConcurrently(candidates, DELETIONS_AT_A_TIME, async ({ remove }) => {
      return !apply || (await remove());
    });
    for (const [index, candidate] of candidates.entries()) if (isGone[index]) files.push(...candidate.files);
  };
  for (const folder of LEFTOVERS) await work(leftovers(await listIfAny(joinUri(root, folder)), isOld));
  await work(leftovers(await listTemporaryFiles(root), isOld));
  await work(leftovers(await listProbes(root), isOld));
  const storage = storageFor(root);
  const listed = await Promise.all(PARTITIONED.map((folder) => storage.listFolders(joinUri(root, folder))));
  for (const name of [...new Set(listed.flat())].sort()) {
    await work(await garbageBelow(root, name, isOld, nowMillis - DAY_MILLIS));
  }
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { files, sizeBytes, condemnedParts };
}

/** What goes by its age alone. */
function leftovers(listed: readonly ListedFile[], isOld: IsOld): Found {
  const candidates = listed.filter(isOld).map((file) => ({ files: [file], remove: () => removed([file]) }));
  return { candidates, marks: [], waitingParts: 0 };
}

async function removed(files: readonly ListedFile[]): Promise<boolean> {
  for (const { uri } of files) await storageFor(uri).remove(uri);
  return true;
}

/** A file that belongs to a partition. */
interface PlacedFile {
  readonly file: ListedFile;
  /** Below the folder of its kind, without the extension. */
  readonly path: string;
  readonly partition: string;
  readonly name: string;
}

/** Looks at what a partition reaches; each call of the look is a new one. */
type LookOf = (partition: string) => () => Promise<ReachedState>;

/**
 * The garbage of the partitions in one folder, such as `dt=2022-05-06` or `region=eu`.
 * @param condemnedBeforeMillis marks that were set before are acted on
 */
async function garbageBelow(
  root: string,
  folder: string,
  isOld: IsOld,
  condemnedBeforeMillis: number,
): Promise<Found> {
  const [parts, receipts, markers, audits, fingerprints, deadLetters] = await Promise.all(
    PARTITIONED.map(async (kind) => {
      const found = await listIfAny(joinUri(root, kind, folder));
      return found.map((file) => ({ file, ...placeOf(`${folder}/${file.relativePath}`) }));
    }),
  );
  const looks = new Map<string, () => Promise<ReachedState>>();
  const lookOf = (partition: string) => {
    const look = looks.get(partition) ?? reachedStateOf(root, partition);
    looks.set(partition, look);
    return look;
  };
  const beside = [...fingerprints!, ...deadLetters!];
  const ofReceipts = await partsWithReceipts(receipts!, parts!, beside, lookOf, isOld, condemnedBeforeMillis);
  const withReceipt = new Set(receipts!.map(({ path }) => path));
  const marks = await marksOfOthers(root, parts!, withReceipt, lookOf, isOld);
  return {
    candidates: [
      ...ofReceipts.candidates,
      ...leftBeside(root, beside, parts!, isOld),
      ...(await pastMarkers(markers!, lookOf, isOld)),
      ...(await unnamedAudits(audits!, lookOf, isOld)),
    ],
    marks: [...ofReceipts.marks, ...marks],
    waitingParts: ofReceipts.waitingParts,
  };
}

/** Parts whose receipt nothing reaches, or whose mark has taken its place, with what lies beside them. */
async function partsWithReceipts(
  receipts: readonly PlacedFile[],
  parts: readonly PlacedFile[],
  beside: readonly PlacedFile[],
  lookOf: LookOf,
  isOld: IsOld,
  condemnedBeforeMillis: number,
): Promise<Found> {
  const candidates: Candidate[] = [];
  const marks: (() => Promise<unknown>)[] = [];
  let waitingParts = 0;
  const partOf = new Map(parts.map(({ file, path }) => [`${path}-${file.sizeBytes}`, file]));
  const besideOf = new Map<string, ListedFile[]>();
  for (const { file, path } of beside) besideOf.set(path, [...(besideOf.get(path) ?? []), file]);
  for (const { file: receipt, path, partition, name } of receipts) {
    const partId = name.replace(/-\d+$/, '');
    const part = partOf.get(path);
    const isMark = isMarkLength(receipt.sizeBytes);
    if ((await lookOf(partition)()).partIds.has(partId)) continue;
    if (isMark && receipt.modifiedMillis < condemnedBeforeMillis) {
      const look = async () => (await lookOf(partition)()).partIds.has(partId);
      const own = besideOf.get(`${partition}/${partId}`) ?? [];
      // The part last: whoever scores it anew finds it gone, and so writes these after they were deleted.
      const ofPart = part === undefined ? [] : [...own, part];
      candidates.push({ files: [...ofPart, receipt], remove: () => removeClaimed(receipt, ofPart, look) });
    } else if (isMark) waitingParts++;
    else if (isOld(receipt) && (part === undefined || isOld(part))) {
      const { uri, version } = receipt;
      marks.push(() => storageFor(uri).replaceIfVersion(uri, newMark('condemned'), version));
    }
  }
  return { candidates, marks, waitingParts };
}

/** Condemns parts that have neither receipt nor mark. */
async function marksOfOthers(
  root: string,
  parts: readonly PlacedFile[],
  withReceipt: ReadonlySet<string>,
  lookOf: LookOf,
  isOld: IsOld,
): Promise<Found['marks']> {
  const marks: (() => Promise<unknown>)[] = [];
  for (const { file: part, path, partition, name: partId } of parts) {
    if (withReceipt.has(`${path}-${part.sizeBytes}`) || !isOld(part)) continue;
    if ((await lookOf(partition)()).partIds.has(partId)) continue;
    const uri = below(root, receiptPath(partition, partId, part.sizeBytes));
    marks.push(() => storageFor(uri).createIfAbsent(uri, newMark('condemned')));
  }
  return marks;
}

/** Fingerprints and dead letters of parts that are gone. */
function leftBeside(
  root: string,
  beside: readonly PlacedFile[],
  parts: readonly PlacedFile[],
  isOld: IsOld,
): Candidate[] {
  const partPaths = new Set(parts.map(({ path }) => path));
  const left = beside.filter(({ file, path }) => !partPaths.has(path) && isOld(file));
  return left.map(({ file, path }) => {
    const part = below(root, `parts/${path}.arrow`);
    const hasPart = async () => (await storageFor(part).stat(part)) !== undefined;
    return { files: [file], remove: () => removeUnlessNeeded(file, hasPart) };
  });
}

/** Notes that events of former generations were sent. */
async function pastMarkers(
  markers: readonly PlacedFile[],
  lookOf: LookOf,
  isOld: IsOld,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const { file, partition, name } of markers) {
    const isPast = async () => {
      const { generation } = await lookOf(partition)();
      return generation === undefined || Number(name) < generation;
    };
    if (!isOld(file) || !(await isPast())) continue;
    candidates.push({ files: [file], remove: async () => (await isPast()) && removed([file]) });
  }
  return candidates;
}

/** Audit documents that neither a pointer nor a block names. */
async function unnamedAudits(
  audits: readonly PlacedFile[],
  lookOf: LookOf,
  isOld: IsOld,
): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const { file, path, partition } of audits) {
    const isNamed = async () => (await lookOf(partition)()).audits.has(`audits/${path}.json`);
    if (!isOld(file) || (await isNamed())) continue;
    candidates.push({ files: [file], remove: () => removeUnlessNeeded(file, isNamed) });
  }
  return candidates;
}

/** Of a path such as `dt=2022-05-06/ID.json`. */
function placeOf(relativePath: string): Omit<PlacedFile, 'file'> {
  const path = relativePath.replace(/\.[a-z]+$/, '');
  const slash = path.lastIndexOf('/');
  return { path, partition: path.slice(0, slash), name: path.slice(slash + 1) };
}

/**
 * Deletes a part whose mark has stood long enough. Only after the claim has taken the mark's place is it certain that no
 * receipt is written any more, and that a look at the pointer shows every publisher that had read one before the mark.
 * @param files of the part, none where it is gone
 */
async function removeClaimed(
  mark: ListedFile,
  files: readonly ListedFile[],
  isReached: () => Promise<boolean>,
): Promise<boolean> {
  const storage = storageFor(mark.uri);
  const claimed = await storage.replaceIfVersion(mark.uri, newMark('claimed'), mark.version);
  if (claimed === undefined) return false;
  const claimedMillis = performance.now();
  const isKept = files.length > 0 && (await isReached());
  // The next call finds the claim, and takes it over a day later.
  if (performance.now() - claimedMillis > CLAIM_USE_MILLIS) return false;
  if (!isKept) await removed(files);
  await storage.remove(mark.uri);
  return !isKept;
}

/**
 * Deletes a file and puts it back if somebody has come to need it meanwhile: a publisher that has flipped to an audit document
 * (one that flips later writes it anew after its flip), a scorer that has made the part of these fingerprints or dead letters anew.
 */
async function removeUnlessNeeded({ uri }: ListedFile, isNeeded: () => Promise<boolean>): Promise<boolean> {
  const storage = storageFor(uri);
  const found = await storage.readVersioned(uri);
  if (found === undefined || (await isNeeded())) return false;
  await storage.remove(uri);
  if (!(await isNeeded())) return true;
  await storage.createIfAbsent(uri, found.bytes);
  return false;
}
