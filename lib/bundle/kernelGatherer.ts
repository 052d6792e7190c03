import { Instance, Module, type SharedMemory } from '../base/webAssembly.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import type { EmbeddingTable } from './embeddingTable.ts';
import { GATHER_KERNELS } from './gatherKernels.ts';
import type { GatherPlan } from './gatherPlan.ts';
import {
  BLOCK_LENGTH,
  blockNumbers,
  type KernelPlan,
  kernelPlan,
  LAYER_ROWS,
  LIST_LENGTH,
  layerLength,
  layerRoom,
  listNumbers,
  meanWidth,
  pairNumbers,
  passCount,
  writeLayer,
} from './kernelPlan.ts';
import { LAYER_KERNELS } from './layerKernels.ts';
import { PRODUCT_KERNELS } from './productKernels.ts';
import { MemoryArea } from './tableMemory.ts';

/** Rows that are gathered at a time: what is written of them stays in the processor's cache until it is copied. */
const TILE_ROWS = 64;

/** What kernels/gatherKernels.ts exports. */
type Gather = (
  lists: number,
  listCount: number,
  blocks: number,
  blockCount: number,
  row: number,
  rowCount: number,
) => void;

/** What kernels/productKernels.ts exports. */
type Multiply = (
  pairs: number,
  pairCount: number,
  width: number,
  rows: number,
  rowBytes: number,
  to: number,
  toStep: number,
  rowCount: number,
) => void;

/** What kernels/layerKernels.ts exports. */
type ApplyLayers = (
  layers: number,
  layerCount: number,
  rows: number,
  rowBytes: number,
  width: number,
  columns: number,
  room: number,
  target: number,
  targetBytes: number,
  rowCount: number,
) => void;

/** Where kernels/layerKernels.ts finds the layers of an input, and where it works. */
interface LayerPlaces {
  readonly input: number;
  /** Places and numbers of units. */
  readonly layers: Int32Array;
  readonly columns: Float32Array;
  readonly room: number;
  /** Units of the last one. */
  readonly units: number;
  /** [TILE_ROWS, units] */
  readonly tile: Float32Array;
}

/**
 * Gathers for all inputs of a model at once, by WebAssembly, from tables in shared memory. The same numbers as InputGatherer's,
 * bit by bit; only NaN may have other bits. ONNX Runtime takes no shared memory, so that a tile of rows is copied to where it
 * reads them.
 */
export class KernelGatherer {
  /** In the shared memory. */
  readonly rows: EncodedRows;
  readonly #plan: KernelPlan;
  readonly #area: MemoryArea;
  readonly #gather: Gather;
  readonly #multiply: Multiply;
  readonly #applyLayers: ApplyLayers;
  readonly #tiles: readonly Float32Array[];
  readonly #lists: Int32Array;
  readonly #blocks: Int32Array;
  /** Of each input's products. */
  readonly #pairs: readonly Int32Array[];
  readonly #layered: readonly LayerPlaces[];
  /** What of each input is copied to its tensor: rows that are gathered, or units of layers. */
  readonly #copied: readonly { readonly tile: Float32Array; readonly width: number }[];

  /** @returns undefined when no table of these lies where kernels read it, or there is no memory left */
  static create(
    inputs: GatherPlan,
    layout: FeatureLayout,
    tables: readonly EmbeddingTable[],
    rowCapacity: number,
  ): KernelGatherer | undefined {
    const plan = kernelPlan(inputs, layout, tables);
    if (plan === undefined) return undefined;
    const lengths = arrayLengths(plan, layout, rowCapacity);
    const area = MemoryArea.take(plan.memory, Object.values(lengths).flat());
    return area && new KernelGatherer(plan, layout, rowCapacity, lengths, area);
  }

  private constructor(
    plan: KernelPlan,
    layout: FeatureLayout,
    rowCapacity: number,
    lengths: ArrayLengths,
    area: MemoryArea,
  ) {
    this.rows = {
      rowCapacity,
      singleRows: area.int32(lengths.singleRows),
      listRows: area.int32(lengths.listRows),
      listWeights: area.float32(lengths.listWeights),
      dense: area.float32(lengths.dense),
    };
    const rowNumbers = area.int32(lengths.rowNumbers);
    const rowsInTile = area.int32(lengths.rowsInTile);
    for (let row = 0; row < rowCapacity; row++) {
      rowNumbers[row] = row;
      rowsInTile[row] = row % TILE_ROWS;
    }
    const means = lengths.means.map((length) => area.float32(length));
    this.#tiles = lengths.tiles.map((length) => area.float32(length));
    const arrays = { rows: this.rows, rowNumbers, rowsInTile, means, tiles: this.#tiles };
    this.#lists = area.int32(lengths.lists);
    this.#lists.set(listNumbers(plan, layout, arrays));
    this.#blocks = area.int32(lengths.blocks);
    this.#blocks.set(blockNumbers(plan, layout, arrays));
    this.#pairs = plan.products.map((products) => {
      const numbers = pairNumbers(products);
      const pairs = area.int32(numbers.length);
      pairs.set(numbers);
      return pairs;
    });
    this.#layered = plan.layered.map(({ input, layers }) => {
      const room = layerRoom(plan.widths[input]!, layers);
      const columns = area.float32(2 * LAYER_ROWS * room);
      const units = layers.at(-1)!.biases.length;
      const tile = area.float32(TILE_ROWS * units);
      const places = layers.flatMap((layer) => {
        const numbers = area.float32(layerLength(layer));
        writeLayer(layer, numbers);
        return [numbers.byteOffset, layer.biases.length];
      });
      const list = area.int32(places.length);
      list.set(places);
      return { input, layers: list, columns, room, units, tile };
    });
    this.#copied = plan.widths.map((width, index) => {
      const layered = plan.whole.has(index) && this.#layered.find(({ input }) => input === index);
      return layered ? { tile: layered.tile, width: layered.units } : { tile: this.#tiles[index]!, width };
    });
    this.#plan = plan;
    this.#area = area;
    const kernels = kernelsOver(plan.memory);
    this.#gather = kernels.gather;
    this.#multiply = kernels.multiply;
    this.#applyLayers = kernels.applyLayers;
  }

  /** Is that field gathered here? If not, its columns of `targets` are left with anything. */
  covers(field: number): boolean {
    return this.#plan.tables.has(field);
  }

  /** Does `gather` do all there is to do for that input, its products and layers included? */
  completes(input: number): boolean {
    return this.#plan.whole.has(input);
  }

  /**
   * Gathers the first `rowCount` rows.
   * @param targets one for each input, [rowCapacity, width]: what is gathered, or the units of layers where it is complete
   */
  gather(rowCount: number, targets: readonly Float32Array[]): void {
    const { blocks } = this.#plan;
    const listCount = this.#lists.length / LIST_LENGTH;
    for (let row = 0; row < rowCount; row += TILE_ROWS) {
      const count = Math.min(TILE_ROWS, rowCount - row);
      this.#gather(this.#lists.byteOffset, listCount, this.#blocks.byteOffset, blocks.length, row, count);
      for (const input of this.#plan.whole) this.#multiplyPairs(input, count);
      for (const input of this.#plan.whole) this.#applyAllLayers(input, count);
      for (const [input, target] of targets.entries()) {
        const { tile, width } = this.#copied[input]!;
        target.set(count === TILE_ROWS ? tile : tile.subarray(0, count * width), row * width);
      }
    }
  }

  /**
   * Multiplies for an input that isn't complete, when JavaScript has gathered the rest of it.
   * @param rows of each input, [rowCapacity, width]
   */
  multiplyLate(input: number, rows: readonly Float32Array[], rowCount: number): void {
    const sources = this.#plan.products.filter(({ target }) => target === input).map(({ source }) => source);
    this.#throughTiles(rowCount, (row, count) => {
      for (const each of new Set([...sources, input])) this.#load(each, rows[each]!, row, count);
      this.#multiplyPairs(input, count);
      const width = this.#plan.widths[input]!;
      rows[input]!.set(this.#tiles[input]!.subarray(0, count * width), row * width);
    });
  }

  /** Applies the layers of an input that isn't complete. @param target [rowCapacity, units] */
  applyLate(input: number, rows: Float32Array, target: Float32Array, rowCount: number): void {
    const { tile, units } = this.#layered.find((layered) => layered.input === input)!;
    this.#throughTiles(rowCount, (row, count) => {
      this.#load(input, rows, row, count);
      this.#applyAllLayers(input, count);
      target.set(tile.subarray(0, count * units), row * units);
    });
  }

  #throughTiles(rowCount: number, step: (row: number, count: number) => void): void {
    for (let row = 0; row < rowCount; row += TILE_ROWS) step(row, Math.min(TILE_ROWS, rowCount - row));
  }

  #load(input: number, rows: Float32Array, row: number, count: number): void {
    const width = this.#plan.widths[input]!;
    this.#tiles[input]!.set(rows.subarray(row * width, (row + count) * width));
  }

  #multiplyPairs(input: number, rowCount: number): void {
    const { products, widths } = this.#plan;
    for (const [index, { source, target, at, pairs, width }] of products.entries()) {
      if (target !== input) continue;
      const rows = this.#tiles[source]!;
      const to = this.#tiles[target]!;
      this.#multiply(
        this.#pairs[index]!.byteOffset,
        pairs.length,
        width,
        rows.byteOffset,
        4 * widths[source]!,
        to.byteOffset + 4 * at,
        4 * widths[target]!,
        rowCount,
      );
    }
  }

  #applyAllLayers(of: number, rowCount: number): void {
    for (const { input, layers, columns, room, units, tile } of this.#layered) {
      if (input !== of) continue;
      const width = this.#plan.widths[input]!;
      const rows = this.#tiles[input]!.byteOffset;
      this.#applyLayers(
        ...([layers.byteOffset, layers.length / 2, rows, 4 * width, width] as const),
        ...([columns.byteOffset, room, tile.byteOffset, 4 * units, rowCount] as const),
      );
    }
  }

  /** Gives the memory back; `rows` mustn't be used any more. */
  release(): void {
    this.#area.giveBack();
  }
}

/** Numbers of 4 bytes in each array of the area, in the order in which they lie there. */
interface ArrayLengths {
  readonly singleRows: number;
  readonly listRows: number;
  readonly listWeights: number;
  readonly dense: number;
  readonly rowNumbers: number;
  readonly rowsInTile: number;
  readonly means: readonly number[];
  readonly tiles: readonly number[];
  readonly lists: number;
  readonly blocks: number;
  readonly pairs: readonly number[];
  /** Of each input's layers: columns, units of a tile, numbers of each layer, places of all. */
  readonly layers: readonly number[];
}

function arrayLengths(
  { widths, blocks, lists, products, layered }: KernelPlan,
  { singles, listWidth, denseWidth }: FeatureLayout,
  rowCapacity: number,
): ArrayLengths {
  return {
    singleRows: rowCapacity * singles.length,
    listRows: rowCapacity * listWidth,
    listWeights: rowCapacity * listWidth,
    dense: rowCapacity * denseWidth,
    rowNumbers: rowCapacity,
    rowsInTile: rowCapacity,
    means: lists.map((list) => TILE_ROWS * meanWidth(list)),
    tiles: widths.map((width) => TILE_ROWS * width),
    lists: LIST_LENGTH * lists.reduce((sum, list) => sum + passCount(list), 0),
    blocks: BLOCK_LENGTH * blocks.length,
    pairs: products.map((each) => pairNumbers(each).length),
    layers: layered.flatMap(({ input, layers }) => [
      2 * LAYER_ROWS * layerRoom(widths[input]!, layers),
      TILE_ROWS * layers.at(-1)!.biases.length,
      ...layers.map(layerLength),
      2 * layers.length,
    ]),
  };
}

/** What all kernels export. */
interface Kernels {
  readonly gather: Gather;
  readonly multiply: Multiply;
  readonly applyLayers: ApplyLayers;
}

/** Compiled once per thread. */
let modules: Readonly<Record<keyof Kernels, object>> | undefined;

function kernelsOver(memory: SharedMemory): Kernels {
  modules ??= {
    gather: compiled(GATHER_KERNELS),
    multiply: compiled(PRODUCT_KERNELS),
    applyLayers: compiled(LAYER_KERNELS),
  };
  const env = { memory };
  const { gather } = new Instance(modules.gather, { env }).exports as { readonly gather: Gather };
  const { products } = new Instance(modules.multiply, { env }).exports as { readonly products: Multiply };
  const { layers } = new Instance(modules.applyLayers, { env }).exports as { readonly layers: ApplyLayers };
  return { gather, multiply: products, applyLayers: layers };
}

function compiled(module: string): object {
  return new Module(Buffer.from(module, 'base64'));
}
