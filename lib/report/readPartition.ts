import { UnreadableFiles } from '../base/unreadableFiles.ts';
import type { Candidate } from '../gates/judged.ts';
import type { Verdict } from '../gates/verdict.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { type Audit, readAudit } from '../publish/audit.ts';
import { type BlockedPartition, blockedNow } from '../publish/blockedPartition.ts';
import { candidateOf } from '../publish/judged.ts';
import { type Manifest, readManifest } from '../publish/manifest.ts';
import { below, manifestPath } from '../publish/outputLayout.ts';
import { type Pointer, type Publication, readPointer } from '../publish/pointer.ts';
import { refuseNoRoot } from '../publish/publishedState.ts';
import { type RunRecord, RunRecords } from '../publish/runRecord.ts';
import { listIfAny } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { lastMappedRun, type MappedUnit } from './mapResults.ts';
import { byNamedTime, regionOf } from './newestDay.ts';
import { type PlanOfUnits, planOfUnits } from './planOfUnits.ts';
import { referenceAt } from './readPartitions.ts';

/** The verdicts on one publication, of this partition or of one before it. */
export interface JudgedPublication {
  readonly partition: string;
  /** Of the manifest. */
  readonly sha256: string;
  readonly verdicts: readonly Verdict[];
}

/** Everything that is recorded of a partition's last publication, or of the block of it. */
export interface PartitionRecord {
  readonly root: string;
  readonly partition: string;
  /** Null for a partition that was never published. */
  readonly pointer: Pointer | null;
  /** What a gate keeps from readers now. */
  readonly blocked: BlockedPartition | undefined;
  /** What is reported on: what is blocked, or else what is visible; undefined where there is neither. */
  readonly judged:
    | {
        readonly publication: Publication;
        readonly manifest: Manifest;
        readonly audit: Audit;
        /** Scores and profile of all parts together. */
        readonly candidate: Candidate;
      }
    | undefined;
  /** Undefined where the bundle has none, or is gone. */
  readonly reference: ModelReference | undefined;
  /** Of the nearest day before, which the gates have compared with. */
  readonly previous: Manifest | undefined;
  /** Newest first, the judged publication left out. */
  readonly history: readonly JudgedPublication[];
  /** Runs on one machine, newest first. */
  readonly runs: readonly RunRecord[];
  /** Of the state machine's last run. */
  readonly units: readonly MappedUnit[];
  /** Undefined where there are no units, or where too little is left of that run. */
  readonly unitsPlan: PlanOfUnits | undefined;
  /** Why files are left out of this that should tell of it, with code and file. */
  readonly unreadable: readonly string[];
}

/** Publications whose verdicts stand beside those of the newest one. */
const MOST_HISTORY = 8;
const MOST_RUNS = 5;

/**
 * Reads what the documents below an output root say of a partition. What only a report needs and isn't there any more, such as
 * an audit document that was collected or a bundle that was moved, is left out; what is there and can't be read is named.
 * @param records of the root: one object for all partitions that are read
 * @throws Ncs4cvrError PUBLISH_NO_ROOT; PUBLISH_MANIFEST_DAMAGED, PUBLISH_DOCUMENT_INVALID
 */
export async function readPartition(
  root: string,
  partition: string,
  records = new RunRecords(root),
): Promise<PartitionRecord> {
  await refuseNoRoot(root);
  const { pointer = null } = await readPointer(root, partition);
  const blocked = await blockedNow(root, partition, pointer?.generation ?? 0);
  const publication = blocked?.publication ?? pointer?.current;
  const manifest = publication && (await readManifest(root, publication));
  const unreadable = new UnreadableFiles();
  const mapped = await lastMappedRun(root, partition, unreadable);
  const base = {
    ...{ root, partition, pointer, blocked },
    runs: await records.of(partition, MOST_RUNS, unreadable.attempt),
    units: mapped?.units ?? [],
    unitsPlan: mapped && (await planOfUnits(root, partition, mapped, manifest, unreadable)),
  };
  if (publication === undefined || manifest === undefined) {
    return {
      ...base,
      ...{ judged: undefined, reference: undefined, previous: undefined, history: [] },
      unreadable: unreadable.problems,
    };
  }
  const audit = await readAudit(root, publication.audit);
  const previous = audit.earlier.previous;
  return {
    ...base,
    judged: {
      ...{ publication, manifest, audit },
      candidate: candidateOf(manifest, below(root, publication.manifest)),
    },
    reference: await unreadable.attempt(() => referenceAt(publication.modelUri)),
    previous:
      previous &&
      (await unreadable.attempt(() =>
        readManifest(root, {
          manifest: manifestPath(previous.partition, previous.sha256),
          sha256: previous.sha256,
        }),
      )),
    history: await earlierVerdicts(root, partition, pointer, publication, unreadable),
    unreadable: unreadable.problems,
  };
}

/** Is there anything to report: was it ever published, or blocked, or is a run of it recorded? */
export function isKnown({ judged, runs, units }: PartitionRecord): boolean {
  return judged !== undefined || runs.length + units.length > 0;
}

/** Of the partition's own publications before, then of what is visible of its region's partitions before it, the nearest first. */
async function earlierVerdicts(
  root: string,
  partition: string,
  pointer: Pointer | null,
  judged: Publication,
  unreadable: UnreadableFiles,
): Promise<JudgedPublication[]> {
  const own = pointer === null ? [] : [pointer.current, ...pointer.history];
  const names = (await listIfAny(joinUri(root, 'pointers')))
    .map(({ relativePath }) => relativePath.replace(/\.json$/, ''))
    .filter((name) => regionOf(name) === regionOf(partition) && byNamedTime(name, partition) < 0)
    .sort((a, b) => byNamedTime(b, a))
    .slice(0, MOST_HISTORY);
  const found: JudgedPublication[] = [];
  const add = async (of: string, { sha256, audit }: Publication) => {
    if (found.length === MOST_HISTORY) return;
    const read = await unreadable.attempt(() => readAudit(root, audit));
    if (read !== undefined) found.push({ partition: of, sha256, verdicts: read.verdicts });
  };
  for (const each of own) if (each.sha256 !== judged.sha256) await add(partition, each);
  for (const name of names) {
    const other = await unreadable.attempt(() => readPointer(root, name));
    if (other?.pointer !== undefined) await add(name, other.pointer.current);
  }
  return found;
}
