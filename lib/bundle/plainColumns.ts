import type { FeatureLayout } from '../features/featureLayout.ts';
import { DENSE, LIST_ROWS, SINGLE_ROWS } from './modelInterface.ts';

/** Key of a plain model's metadata under which `plainColumns` stands, as JSON. */
export const COLUMNS_KEY = 'ncs4cvr.columns';

/** What a column of `single_rows` is: a feature, and the rows of the joint embedding matrix that its ids count from. */
interface PlainColumn {
  readonly feature: string;
  /** Row number = rowStart + id; id 0 is missing or unseen. */
  readonly rowStart: number;
  /** The number of ids, 0 among them. */
  readonly rowCount: number;
}

/** Columns [position, position + length) of `list_rows`, and of `list_weights`. */
interface PlainListColumns extends PlainColumn {
  readonly position: number;
  readonly length: number;
}

/** Columns by input, in their order; none of an input that the contract has no features for. */
export interface PlainColumns {
  readonly [SINGLE_ROWS]: readonly PlainColumn[];
  readonly [LIST_ROWS]: readonly PlainListColumns[];
  /** `NAME` is the number, `NAME.missing` the flag. */
  readonly [DENSE]: readonly string[];
}

/**
 * Tells the columns of a plain model's inputs, which have another order than the contract: whoever fed them in that of the
 * contract would get scores that look right.
 */
export function plainColumns({ singles, lists, numerics }: FeatureLayout): PlainColumns {
  return {
    [SINGLE_ROWS]: singles.map(({ name, table: { rowStart, rowCount } }) => ({
      feature: name,
      rowStart,
      rowCount,
    })),
    [LIST_ROWS]: lists.map(({ name, feature, position, table: { rowStart, rowCount } }) => ({
      feature: name,
      rowStart,
      rowCount,
      position,
      length: feature.maxLength,
    })),
    [DENSE]: numerics.flatMap(({ name }) => [name, `${name}.missing`]),
  };
}
