import type { Part } from '../../lib/publish/part.ts';
import { PLAN_FORMAT_VERSION } from '../../lib/publish/partitionRun.ts';
import type { RunPlan } from '../../lib/publish/runPlan.ts';
import { GATES_OFF, NOTHING_EARLIER } from '../fixtures/gatesOff.ts';

const model = { version: 'v', sha256: 'a', contractFingerprint: 'b' };

/** Parts of one shard each, with these row counts. */
export const partsOf = (rowCounts: readonly number[]): Part[] =>
  rowCounts.map((rows, i) => ({
    partId: `part-${i}`,
    rows,
    spans: [
      { shard: `${i}.parquet`, version: `"${i}"`, sizeBytes: 1, firstRowGroup: 0, endRowGroup: 1, rows },
    ],
  }));

/** A plan of two partitions: parts with these row counts, and the first of them again. `done` are places of finished ones. */
export function planOf(rowCounts: readonly number[], done: readonly number[] = []): RunPlan {
  const parts = partsOf(rowCounts);
  const partition = {
    partition: 'dt=1',
    inputUri: 's3://b',
    basedOnGeneration: 0,
    earlier: NOTHING_EARLIER,
    shardCount: rowCounts.length,
    sizeBytes: 1,
    parts,
    done: [...done],
    broken: [],
  };
  return {
    formatVersion: PLAN_FORMAT_VERSION,
    codeVersion: '0',
    modelUri: 's3://m',
    model,
    root: 's3://o',
    targetRows: 100,
    toleratedBrokenShards: 0,
    gates: GATES_OFF,
    jobDigest: 'job',
    liftHold: false,
    partitions: [partition, { ...partition, partition: 'dt=2', parts: parts.slice(0, 1), done: [] }],
  };
}
