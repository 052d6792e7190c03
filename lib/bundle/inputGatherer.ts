import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout, ListField } from '../features/featureLayout.ts';
import type { EmbeddingTable } from './embeddingTable.ts';
import { type GatheredInput, gatheredWidth } from './gatherPlan.ts';
import type { GatherStep } from './gatherStep.ts';
import { tableReader } from './tableReader.ts';

/**
 * Fills what is gathered for one input of model.onnx, float32 [rowCapacity, width], from encoded rows and the tables they point into. A row's
 * numbers depend on nothing but the row; rows behind the last one are zeros.
 */
export class InputGatherer {
  /** Every call of `gather` fills it anew. */
  readonly data: Float32Array<ArrayBuffer>;
  readonly name: string;
  readonly width: number;
  readonly #steps: readonly GatherStep[];

  /**
   * @param tables by the rows' layout, in its order
   * @param kernels that have gathered the fields that they cover, and the dense columns, into `data` before
   */
  constructor(
    input: GatheredInput,
    layout: FeatureLayout,
    tables: readonly EmbeddingTable[],
    rows: EncodedRows,
    kernels?: { covers(field: number): boolean },
  ) {
    this.name = input.name;
    this.width = gatheredWidth(input);
    this.data = new Float32Array(rows.rowCapacity * this.width);
    const tableAt = new Map(tables.map((table) => [table.rowStart, table]));
    const steps: GatherStep[] = [];
    let at = 0;
    for (const { field, from, to } of input.blocks) {
      const start = at;
      at += to - from;
      if (kernels?.covers(field)) continue;
      const target = { data: this.data, width: this.width, at: start };
      const single = layout.singles[field];
      const list = layout.lists[field - layout.singles.length];
      const reader = tableReader(tableAt.get((single ?? list)!.table.rowStart)!, from, to);
      if (single !== undefined) {
        const source = { ids: rows.singleRows, width: layout.singles.length, position: field };
        steps.push(reader.copier(source, target));
      } else {
        const source = listSource(rows, layout, list!);
        steps.push(reader.pooler(source, target));
      }
    }
    const { columns } = input;
    if (columns.length > 0 && kernels === undefined) {
      steps.push((rowCount) => this.#copyDense(rows.dense, layout.denseWidth, columns, at, rowCount));
    }
    this.#steps = steps;
  }

  /** Gathers the first `rowCount` rows. */
  gather(rowCount: number): void {
    for (const step of this.#steps) step(rowCount);
    this.data.fill(0, rowCount * this.width);
  }

  #copyDense(
    dense: Float32Array,
    denseWidth: number,
    columns: readonly number[],
    start: number,
    rowCount: number,
  ): void {
    const { data, width } = this;
    for (let row = 0; row < rowCount; row++) {
      const from = row * denseWidth;
      let to = row * width + start;
      for (const column of columns) data[to++] = dense[from + column]!;
    }
  }
}

function listSource(rows: EncodedRows, { listWidth }: FeatureLayout, { position, feature }: ListField) {
  return {
    ids: rows.listRows,
    weights: rows.listWeights,
    width: listWidth,
    position,
    length: feature.maxLength,
  };
}
