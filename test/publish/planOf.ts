import type { RunPlan } from '../../lib/publish/runPlan.ts';

const model = { version: 'v', sha256: 'a', contractFingerprint: 'b' };

/** A plan of two partitions: spans with these row counts, and the first of them again. `done` are places of finished ones. */
export function planOf(rowCounts: readonly number[], done: readonly number[] = []): RunPlan {
  const spans = rowCounts.map((rows, i) => ({
    inputUri: `s3://b/${i}`,
    inputVersion: `"${i}"`,
    firstRowGroup: 0,
    endRowGroup: 1,
    rows,
  }));
  const partition = {
    partition: 'dt=1',
    inputUri: 's3://b',
    basedOnGeneration: 0,
    sizeBytes: 1,
    spans,
    done: [...done],
  };
  return {
    formatVersion: 2,
    codeVersion: '0',
    modelUri: 's3://m',
    model,
    root: 's3://o',
    targetRows: 100,
    liftHold: false,
    partitions: [partition, { ...partition, partition: 'dt=2', spans: spans.slice(0, 1), done: [] }],
  };
}
