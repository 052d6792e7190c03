import { allocateEncodedRows, type EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { multiplyPairs, productsOf } from './embeddingProducts.ts';
import type { EmbeddingTable } from './embeddingTable.ts';
import { type GatheredInput, type GatherPlan, inputWidth } from './gatherPlan.ts';
import type { GatherStep } from './gatherStep.ts';
import { InputGatherer } from './inputGatherer.ts';
import { KernelGatherer } from './kernelGatherer.ts';
import { applyLayers, readLayer } from './sparseLayers.ts';

/** An input of model.onnx, float32 [rowCapacity, width], which every call of `gather` fills anew. */
export interface InputRows {
  readonly name: string;
  readonly width: number;
  readonly data: Float32Array<ArrayBuffer>;
}

/** Fills all inputs of model.onnx from encoded rows: by kernels from tables that they can read, else in JavaScript. */
export class BatchGatherer {
  /** Encode up to `rowCapacity` rows here, then call `gather`. */
  readonly rows: EncodedRows;
  /** In the order of the plan. */
  readonly inputs: readonly InputRows[];
  readonly #kernels: KernelGatherer | undefined;
  /** Where kernels write to, for each input. */
  readonly #targets: readonly Float32Array[];
  /** What kernels leave to JavaScript. */
  readonly #steps: readonly GatherStep[];

  constructor(
    plan: GatherPlan,
    layout: FeatureLayout,
    tables: readonly EmbeddingTable[],
    rowCapacity: number,
  ) {
    const kernels = KernelGatherer.create(plan, layout, tables, rowCapacity);
    this.rows = kernels?.rows ?? allocateEncodedRows(layout, rowCapacity);
    const gatherers = plan.map((input) => new InputGatherer(input, layout, tables, this.rows, kernels));
    this.inputs = plan.map((input, index) =>
      input.layers === undefined ? gatherers[index]! : unitRows(input, rowCapacity),
    );
    const isComplete = (input: number) => kernels?.completes(input) ?? false;
    const gathered = gatherers.map(({ data }) => data);
    this.#kernels = kernels;
    this.#targets = plan.map((_, index) => (isComplete(index) ? this.inputs[index]!.data : gathered[index]!));
    this.#steps = [
      ...gatherers.flatMap((gatherer, index) =>
        isComplete(index) && gatherer !== this.inputs[index]
          ? []
          : [(rowCount: number) => gatherer.gather(rowCount)],
      ),
      ...productsOf(plan).flatMap((products): GatherStep[] => {
        const { source, target } = products;
        if (isComplete(target)) return [];
        if (kernels !== undefined) return [(rowCount) => kernels.multiplyLate(target, gathered, rowCount)];
        return [(rowCount) => multiplyPairs(products, gatherers[source]!, gatherers[target]!, rowCount)];
      }),
      ...plan.flatMap(({ layers }, index): GatherStep[] => {
        if (layers === undefined) return [];
        const units = this.inputs[index]!;
        const clear: GatherStep = (rowCount) => units.data.fill(0, rowCount * units.width);
        if (isComplete(index)) return [clear];
        if (kernels !== undefined) {
          return [(rowCount) => kernels.applyLate(index, gathered[index]!, units.data, rowCount), clear];
        }
        const read = layers.map(readLayer);
        return [(rowCount) => applyLayers(read, gatherers[index]!, units, rowCount), clear];
      }),
    ];
  }

  /** Gathers the first `rowCount` rows; those behind them are zeros. */
  gather(rowCount: number): void {
    this.#kernels?.gather(rowCount, this.#targets);
    for (const step of this.#steps) step(rowCount);
  }

  /** `rows` mustn't be used any more. */
  release(): void {
    this.#kernels?.release();
  }
}

function unitRows(input: GatheredInput, rowCapacity: number): InputRows {
  const width = inputWidth(input);
  return { name: input.name, width, data: new Float32Array(rowCapacity * width) };
}
