import { Int32, RecordBatch, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import type { ScoredRows } from '../../lib/scoring/scoringProtocol.ts';

/** Rows numbered from 0, their scores too, in batches as told. */
export function rowsOf(rowCount: number, batchRows = [rowCount]): ScoredRows {
  let start = 0;
  const batches = batchRows.map((count) => {
    const values = vectorFromArray(
      Array.from({ length: count }, () => start++),
      new Int32(),
    );
    return new RecordBatch({ key: values.data[0]! });
  });
  const scores = Float32Array.from({ length: rowCount }, (_, row) => row);
  const columnsIpc = tableToIPC(new Table(batches), 'stream');
  return {
    rowCount,
    columnsIpc,
    pctr: scores,
    pcvr: scores,
    pctcvr: scores,
    profile: { rows: rowCount, features: [], slices: [] },
    spans: { spans: [], counts: new Float64Array(0) },
    badCells: [],
  };
}
