import { z } from 'zod';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';

const sourceSchema = z.strictObject({
  /** A feature's name. */
  feature: z.string().min(1),
  /**
   * `id`: its local id, 1 and up; 0 is missing or unseen, or a place of a list without a value. `row`: the same as a row of the
   * joint embedding matrix (featureLayout.ts). `weight`: of a list, 1 / (values in use) at a value, 0 elsewhere. `number`: after
   * clip, log1p and standardising, 0 when missing; `missing`: 1 then, else 0.
   */
  as: z.enum(['id', 'row', 'weight', 'number', 'missing']),
});

/** One input of an own model: values of encoded rows as they are, beside each other. Lists take up `maxLength` columns. */
export const directInputSchema = z.strictObject({
  name: z.string().min(1),
  elementType: z.enum(['int32', 'int64', 'float32']),
  /** Shape [B] in place of [B, 1]. */
  isFlat: z.boolean().default(false),
  values: z.array(sourceSchema).min(1).readonly(),
});

export type DirectSource = Readonly<z.infer<typeof sourceSchema>>;
export type DirectInput = Readonly<z.infer<typeof directInputSchema>>;

/** Does an input take encoded values as they are, rather than what is gathered of embedding tables? */
export function isDirect(input: object): input is DirectInput {
  return 'values' in input;
}

/** Where the values of a source stand in encoded rows: that of row r and place k at r * width + position + k. */
interface SourcePlace {
  readonly array: 'singleRows' | 'listRows' | 'listWeights' | 'dense';
  readonly width: number;
  readonly position: number;
  readonly length: number;
  /** Taken off every value but 0, which is none. */
  readonly offset: number;
}

/** @returns undefined for a feature that isn't there, or isn't of that kind */
function placeOf({ feature, as }: DirectSource, layout: FeatureLayout): SourcePlace | undefined {
  const { singles, lists, numerics, listWidth, denseWidth } = layout;
  const isIds = as === 'id' || as === 'row';
  const single = singles.findIndex(({ name }) => name === feature);
  if (single !== -1 && isIds) {
    const offset = as === 'id' ? singles[single]!.table.rowStart : 0;
    return { array: 'singleRows', width: singles.length, position: single, length: 1, offset };
  }
  const list = lists.find(({ name }) => name === feature);
  if (list !== undefined && (isIds || as === 'weight')) {
    const { position, feature: definition, table } = list;
    const array = isIds ? 'listRows' : 'listWeights';
    const offset = as === 'id' ? table.rowStart : 0;
    return { array, width: listWidth, position, length: definition.maxLength, offset };
  }
  const numeric = numerics.findIndex(({ name }) => name === feature);
  if (numeric !== -1 && (as === 'number' || as === 'missing')) {
    const position = 2 * numeric + (as === 'missing' ? 1 : 0);
    return { array: 'dense', width: denseWidth, position, length: 1, offset: 0 };
  }
  return undefined;
}

/** Numbers per row of an input whose sources are all there. */
export function directWidth({ values }: DirectInput, layout: FeatureLayout): number {
  return values.reduce((sum, source) => sum + (placeOf(source, layout)?.length ?? 0), 0);
}

/** What of an input doesn't fit rows of that layout. */
export function directProblems(input: DirectInput, layout: FeatureLayout): string[] {
  const { values, elementType, isFlat } = input;
  const absent = values.filter((source) => placeOf(source, layout) === undefined);
  const width = directWidth(input, layout);
  return [
    ...absent.map(({ feature, as }) => `no feature '${feature}' with a value of kind '${as}'`),
    ...values
      .filter(({ as }) => (as === 'id' || as === 'row') !== (elementType !== 'float32'))
      .map(({ feature, as }) => `the ${as} of '${feature}' as ${elementType}`),
    ...(isFlat && width !== 1 ? [`${width} columns for a tensor of one`] : []),
  ];
}

/** Fills one input of an own model from encoded rows; rows behind the last one are zeros. */
export class DirectFeed {
  /** The input's memory, which every call of `gather` fills anew. */
  readonly data: Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer>;
  readonly dims: readonly number[];
  /** `data` itself, or its 32-bit halves: ids are neither negative nor that large, so that the upper ones stay 0. */
  readonly #cells: Float32Array | Int32Array;
  readonly #cellsPerRow: number;
  readonly #steps: readonly ((rowCount: number) => void)[];

  /** @param input that fits the layout, see `directProblems` */
  constructor(input: DirectInput, layout: FeatureLayout, rows: EncodedRows) {
    const width = directWidth(input, layout);
    const size = rows.rowCapacity * width;
    if (input.elementType === 'int64') {
      const wide = new BigInt64Array(size);
      this.data = wide;
      this.#cells = new Int32Array(wide.buffer);
    } else {
      const data = input.elementType === 'int32' ? new Int32Array(size) : new Float32Array(size);
      this.data = data;
      this.#cells = data;
    }
    const stride = input.elementType === 'int64' ? 2 : 1;
    this.#cellsPerRow = width * stride;
    this.dims = input.isFlat ? [rows.rowCapacity] : [rows.rowCapacity, width];
    let at = 0;
    this.#steps = input.values.map((source) => {
      const place = placeOf(source, layout)!;
      const from = at;
      at += place.length * stride;
      return (rowCount) => this.#copy(rows[place.array], place, from, stride, rowCount);
    });
  }

  /** Takes over the first `rowCount` rows. */
  gather(rowCount: number): void {
    for (const step of this.#steps) step(rowCount);
    this.#cells.fill(0, rowCount * this.#cellsPerRow);
  }

  #copy(
    source: Int32Array | Float32Array,
    { width, position, length, offset }: SourcePlace,
    start: number,
    stride: number,
    rowCount: number,
  ): void {
    const cells = this.#cells;
    for (let row = 0; row < rowCount; row++) {
      let to = row * this.#cellsPerRow + start;
      const first = row * width + position;
      for (let from = first; from < first + length; from++, to += stride) {
        const value = source[from]!;
        cells[to] = value === 0 ? 0 : value - offset;
      }
    }
  }
}
