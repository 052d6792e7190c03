import type { SerialisedError } from '../base/workerThread.ts';
import type { FeatureContract } from '../features/contract.ts';
import type { FeatureCounts } from '../features/featureEncoder.ts';

/** What a scoring worker is started with. */
export interface WorkerSetup {
  readonly contract: FeatureContract;
  /** model.onnx in shared memory: one copy for all workers. */
  readonly modelBytes: Uint8Array;
  /** Extra columns that come back with the scores (labels, users); absent ones are an error. */
  readonly extraColumns: readonly string[];
}

/** One row group of one shard: the unit of parallel work. */
export interface RowGroupRequest {
  readonly shardUri: string;
  readonly rowGroup: number;
  /** The version of the bytes the shard was planned with; another one is an error. */
  readonly shardVersion: string;
}

/** A scored row group, all rows in input order. */
export interface ScoredRowGroup {
  readonly rowGroup: number;
  readonly rowCount: number;
  /** Arrow IPC stream: row keys and extra columns. */
  readonly columnsIpc: Uint8Array;
  readonly pctr: Float32Array;
  readonly pcvr: Float32Array;
  readonly pctcvr: Float32Array;
  /** What the encoder counted in this row group. */
  readonly counts: readonly FeatureCounts[];
}

export type WorkerReply =
  | { readonly kind: 'scored'; readonly result: ScoredRowGroup }
  /** `isRetiring`: the thread ends itself and takes no further request. */
  | { readonly kind: 'failed'; readonly error: SerialisedError; readonly isRetiring: boolean };
