import type { RecordBatch } from 'apache-arrow';
import { UNKNOWN_CLICK } from '../base/tasks.ts';
import { allocateEncodedRows, type EncodedRows, sliceEncodedRows } from '../features/encodedRows.ts';
import type { FeatureEncoder } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import {
  addLabelCounts,
  type BatchPlace,
  type LabelColumns,
  type LabelCounts,
  NO_LABELS,
  readLabels,
} from '../features/readLabels.ts';
import { placed } from '../features/unreadableValue.ts';
import type { FunnelLabels } from './taskLabels.ts';

/** Encoded rows with labels, held in memory: about 4 (C + 2L + 2N) + 5 bytes per row. */
export interface TrainingSet extends FunnelLabels {
  readonly rowCount: number;
  readonly rows: EncodedRows;
}

/** Collects encoded batches into growing arrays. */
export class TrainingSetBuilder {
  readonly #encoder: FeatureEncoder;
  readonly #labels: LabelColumns | undefined;
  #rowCount = 0;
  #rows: EncodedRows;
  #click = new Uint8Array(0);
  #conversion = new Float32Array(0);
  #labelCounts = NO_LABELS;

  /** @param labels undefined where there are none: clicks are UNKNOWN_CLICK then */
  constructor(encoder: FeatureEncoder, labels: LabelColumns | undefined) {
    this.#encoder = encoder;
    this.#labels = labels;
    this.#rows = allocateEncodedRows(encoder.layout, 0);
  }

  /** Of the rows so far. */
  get labelCounts(): LabelCounts {
    return this.#labelCounts;
  }

  /**
   * @param isMature false for rows that are too young for their conversions to be known
   * @throws Ncs4cvrError SHARD_ID_INVALID for an id that is no whole number; SHARD_LABEL_INVALID for a click that isn't 0 or 1, or a conversion outside [0, 1]
   */
  add(batch: RecordBatch, place: BatchPlace, isMature = true): void {
    const end = this.#rowCount + batch.numRows;
    if (end > this.#click.length) this.#grow(Math.max(end, 2 * this.#click.length));
    placed(place, () => this.#encoder.encode(batch, 0, batch.numRows, this.#rows, this.#rowCount));
    if (this.#labels === undefined) this.#click.fill(UNKNOWN_CLICK, this.#rowCount, end);
    else {
      const labels = readLabels(batch, this.#labels, place, isMature);
      this.#labelCounts = addLabelCounts(this.#labelCounts, labels.counts);
      this.#click.set(labels.click, this.#rowCount);
      this.#conversion.set(labels.conversion, this.#rowCount);
    }
    this.#rowCount = end;
  }

  build(): TrainingSet {
    return {
      rowCount: this.#rowCount,
      rows: this.#rows,
      click: this.#click.subarray(0, this.#rowCount),
      conversion: this.#conversion.subarray(0, this.#rowCount),
    };
  }

  #grow(rowCapacity: number): void {
    const larger = allocateEncodedRows(this.#encoder.layout, rowCapacity);
    larger.singleRows.set(this.#rows.singleRows);
    larger.listRows.set(this.#rows.listRows);
    larger.listWeights.set(this.#rows.listWeights);
    larger.dense.set(this.#rows.dense);
    this.#rows = larger;
    const click = new Uint8Array(rowCapacity);
    click.set(this.#click);
    this.#click = click;
    const conversion = new Float32Array(rowCapacity);
    conversion.set(this.#conversion);
    this.#conversion = conversion;
  }
}

/** Rows [start, end) as views on the same memory. */
export function sliceTrainingSet(
  layout: FeatureLayout,
  set: TrainingSet,
  start: number,
  end: number,
): TrainingSet {
  return {
    rowCount: end - start,
    rows: sliceEncodedRows(layout, set.rows, start, end),
    click: set.click.subarray(start, end),
    conversion: set.conversion.subarray(start, end),
  };
}
