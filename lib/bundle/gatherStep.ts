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

/** Columns [from, to) of rows that are `width` long, the first of them row `rowStart` of the joint matrix. */
export interface TableColumns {
  readonly rowStart: number;
  readonly width: number;
  readonly from: number;
  readonly to: number;
}

/** One pass over all rows: up to eight columns of the table go to `at` of the target's rows. */
export interface Pass {
  readonly count: number;
  /** Where row id 0 of the joint matrix would begin in the table's memory, plus the first column. */
  readonly first: number;
  readonly tableWidth: number;
  readonly at: number;
}

/** The columns by eights, which is what the readers' loops are written out for. @param at of the first one in the target's rows */
export function passesOf({ rowStart, width, from, to }: TableColumns, at: number): Pass[] {
  return Array.from({ length: Math.ceil((to - from) / 8) }, (_, pass) => ({
    first: from + 8 * pass - rowStart * width,
    tableWidth: width,
    count: Math.min(8, to - from - 8 * pass),
    at: at + 8 * pass,
  }));
}

export function inOrder(steps: readonly GatherStep[]): GatherStep {
  return (rowCount) => {
    for (const step of steps) step(rowCount);
  };
}
