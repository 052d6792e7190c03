import { Ncs4cvrError } from '../errors.ts';

/**
 * A prediction file can't be written or read. Codes: PREDICTION_KEY_UNSUPPORTED, PREDICTION_COLUMN_CLASH,
 * PREDICTION_KEY_MISMATCH, PREDICTION_ROWS_LOST, PREDICTION_WRITER_CLOSED, PREDICTION_FILE_INVALID.
 */
export class PredictionError extends Ncs4cvrError {}
