/** Joint row ids of one field: that of row r at r * width + position. */
export interface IdSource {
  readonly ids: Int32Array;
  readonly width: number;
  readonly position: number;
}

/** Ids and weights of a list's values, which all have one weight (encodedRows.ts); 0 is a position without a value. */
export interface ListSource extends IdSource {
  readonly weights: Float32Array;
  readonly length: number;
}

/** Where a block goes: row r at r * width + at. */
export interface BlockTarget {
  readonly data: Float32Array;
  readonly width: number;
  readonly at: number;
}

/** Does its work for the first rows of a batch. */
export type GatherStep = (rowCount: number) => void;

/**
 * Reads columns of a table's rows as float32. One class for each way in which tables are stored. All that doesn't change from
 * batch to batch is done once: making a view of shared memory takes as long as copying a field of 200 rows.
 */
export interface TableReader {
  /** Copies the row of each id. */
  copier(source: IdSource, target: BlockTarget): GatherStep;
  /** The mean of a list's rows: their sum in the order of its values times the weight that they all have; or 0. */
  pooler(source: ListSource, target: BlockTarget): GatherStep;
}
