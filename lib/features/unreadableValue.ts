import { ContractError } from '../base/errors.ts';
import type { BatchPlace } from './readLabels.ts';

interface UnreadableCell {
  /** Row of the batch. */
  readonly row: number;
  readonly column: string;
  readonly expected: string;
  readonly found: string;
}

/** A value that no feature can be made of, SHARD_ID_INVALID: known by its row in the batch until `placed` says where that is. */
export class UnreadableValueError extends ContractError {
  readonly row: number;

  constructor({ row, ...cell }: UnreadableCell) {
    super('SHARD_ID_INVALID', `row ${row} of the batch has no usable id`, cell);
    this.row = row;
  }

  /** @param rows what the row is counted in, such as `the shard` @param rowStart of the batch's first row there */
  placed(
    { file, rowGroup, rowStart }: BatchPlace,
    rows: 'the shard' | 'the row group' = 'the shard',
  ): ContractError {
    const { code, location, expected = '', found = '' } = this;
    const summary = `row ${rowStart + this.row} of ${rows} has no usable id`;
    return new ContractError(code, summary, { ...location, file, rowGroup, expected, found });
  }
}

/** Runs what encodes or fits a batch. @throws UnreadableValueError as an error that says where in the shard the value stands */
export function placed<T>(place: BatchPlace, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof UnreadableValueError ? error.placed(place) : error;
  }
}
