import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { multiplyPairs, productsOf } from './embeddingProducts.ts';
import type { EmbeddingTable } from './embeddingTable.ts';
import type { GatherPlan } from './gatherPlan.ts';
import type { GatherStep } from './gatherStep.ts';
import { InputGatherer } from './inputGatherer.ts';
import { KernelGatherer } from './kernelGatherer.ts';

/** Fills all inputs of model.onnx from encoded rows: by kernels from tables that they can read, else in JavaScript. */
export class BatchGatherer {
  /** Encode up to `rowCapacity` rows here, then call `gather`. */
  readonly rows: EncodedRows;
  /** In the order of the plan, each [rowCapacity, width]. */
  readonly inputs: readonly InputGatherer[];
  readonly #kernels: KernelGatherer | undefined;
  readonly #targets: readonly Float32Array[];
  readonly #products: readonly GatherStep[];

  constructor(
    plan: GatherPlan,
    layout: FeatureLayout,
    tables: readonly EmbeddingTable[],
    rowCapacity: number,
  ) {
    this.#kernels = KernelGatherer.create(plan, layout, tables, rowCapacity);
    this.rows = this.#kernels?.rows ?? allocateEncodedRows(layout, rowCapacity);
    this.inputs = plan.map((input) => new InputGatherer(input, layout, tables, this.rows, this.#kernels));
    this.#targets = this.inputs.map(({ data }) => data);
    this.#products = productsOf(plan)
      .filter(({ target }) => !this.#kernels?.multiplies(target))
      .map((products) => (rowCount) => {
        multiplyPairs(products, this.inputs[products.source]!, this.inputs[products.target]!, rowCount);
      });
  }

  /** Gathers the first `rowCount` rows; those behind them are zeros. */
  gather(rowCount: number): void {
    this.#kernels?.gather(rowCount, this.#targets);
    for (const input of this.inputs) input.gather(rowCount);
    for (const step of this.#products) step(rowCount);
  }

  /** `rows` mustn't be used any more. */
  release(): void {
    this.#kernels?.release();
  }
}
