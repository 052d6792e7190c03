import { type Data, type Field, makeData, RecordBatch, Schema, Struct } from 'apache-arrow';

export const metadata = new Map([
  ['ncs4cvr.model_version', '2022-05-06'],
  ['ncs4cvr.input_uri', 'dt=2022-05-06/é.parquet'],
]);

/** What stands in a row of one of the three columns. */
const score = (row: number, column: number) => Math.fround(((row * 7 + column) % 1000) / 1000);
export const scores = (rowStart: number, rowEnd: number, column: number) =>
  Float32Array.from({ length: rowEnd - rowStart }, (_, i) => score(rowStart + i, column));

/** The scores of some rows, as they are written. */
export function scoreColumns(rowStart: number, rowEnd: number) {
  return {
    pctr: scores(rowStart, rowEnd, 0),
    pcvr: scores(rowStart, rowEnd, 1),
    pctcvr: scores(rowStart, rowEnd, 2),
  };
}

/** Keys as one batch. */
export function batchOf(fields: readonly Field[], children: Data[]): RecordBatch {
  const length = children[0]?.length ?? 0;
  const data = makeData({ type: new Struct([...fields]), length, nullCount: 0, children });
  return new RecordBatch(new Schema([...fields]), data);
}
