import type { SerialisedError } from '../base/workerThread.ts';
import type { ScoringModel } from '../bundle/scoringSession.ts';
import type { FeatureContract } from '../features/contract.ts';
import type { EncodedDictionary } from '../features/fieldValues.ts';
import type { LabelColumns } from '../features/readLabels.ts';
import type { VocabularyFiles } from '../features/vocabulary.ts';
import type { SharedColumn } from '../parquet/sharedColumns.ts';
import type { ProfileBins } from '../profile/addProfiles.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import type { TalliedSpans } from '../profile/worstSpans.ts';
import type { BadRowCell } from './badCells.ts';
import type { PackedReads, PackedRowGroup } from './packedReads.ts';
import type { RequestedRowGroup } from './requestedRowGroup.ts';

/** What a scoring worker is started with. */
export interface WorkerSetup {
  readonly contract: FeatureContract;
  /** Of the contract's tables, in shared memory: one copy for all workers. */
  readonly vocabularies: VocabularyFiles;
  /** In shared memory: one copy for all workers. */
  readonly model: ScoringModel;
  /** Extra columns that come back with the scores (labels, users); absent ones are an error. */
  readonly extraColumns: readonly string[];
  /** How rows are counted; without it their profiles have neither bins nor slices. */
  readonly bins?: ProfileBins;
  /** Whose labels requests may ask to be counted. */
  readonly labels?: LabelColumns;
}

/**
 * Row groups that are scored together, in order, of one shard or of several: the unit of parallel work. All but single ones
 * have REQUEST_ROWS rows at most.
 */
export interface ScoringRequest {
  /** Threads get them with their bytes, unless they are decoded. */
  readonly rowGroups: readonly RequestedRowGroup[];
  /** Count labels in the row groups that have been read with theirs. */
  readonly countLabels?: boolean;
  /** The columns of the only row group, where they have been decoded before. */
  readonly decoded?: DecodedRowGroup;
  /** Leave out rows that can't be decoded or have no key; the first of them is an error otherwise, or a null. */
  readonly leaveOutBadRows?: boolean;
}

/** Some columns of a row group whose rows are scored by several requests. */
export interface DecodingRequest {
  /** With the reads of these columns only. */
  readonly rowGroup: RequestedRowGroup;
  /** Memory for them that nobody reads any more. */
  readonly spare?: readonly SharedArrayBuffer[];
  readonly leaveOutBadRows?: boolean;
}

/** Columns of a row group in memory that all threads see. */
export interface DecodedColumns {
  /** By name, all rows. */
  readonly columns: ReadonlyMap<string, SharedColumn>;
  /** What their dictionaries are encoded to, by feature: once for all threads. */
  readonly encoded: ReadonlyMap<string, EncodedDictionary>;
  /** Of rows that couldn't be decoded. */
  readonly badCells: readonly BadRowCell[];
}

/** All columns of a row group. */
export interface DecodedRowGroup extends DecodedColumns {
  /** The same for all requests of its rows, and for no other. */
  readonly id: number;
}

/** The rows of a request in their order, but for those that were left out. */
export interface ScoredRows {
  readonly rowCount: number;
  /** Arrow IPC stream: row keys and extra columns. */
  readonly columnsIpc: Uint8Array;
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
  readonly pctcvr: Float32Array;
  readonly profile: PartProfile;
  /** Of each span that has rows here, in order. */
  readonly spans: TalliedSpans;
  /** Why rows were left out; sorted by row group and row. */
  readonly badCells: readonly BadRowCell[];
}

/** A request on its way to a thread. */
export type WorkerRequest = (
  | ({ readonly kind: 'score' } & Omit<ScoringRequest, 'rowGroups'>)
  | ({ readonly kind: 'decode' } & Omit<DecodingRequest, 'rowGroup'>)
) & {
  /** A single one to be decoded. */
  readonly rowGroups: readonly PackedRowGroup[];
  readonly packedReads: PackedReads;
};

export type WorkerReply =
  | { readonly kind: 'scored'; readonly result: ScoredRows }
  | { readonly kind: 'decoded'; readonly result: DecodedColumns }
  /** `isRetiring`: the thread ends itself and takes no further request. */
  | { readonly kind: 'failed'; readonly error: SerialisedError; readonly isRetiring: boolean };
