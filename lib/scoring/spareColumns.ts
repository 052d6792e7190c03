import type { SharedColumn } from '../parquet/sharedColumns.ts';

/**
 * Memory of a row group's columns that have been scored, for the next row group with them. Left to the collectors of all
 * threads, that of several row groups would be there at a time.
 */
export class SpareColumns {
  readonly #spare = new Map<string, SharedArrayBuffer[]>();

  /** To be called when nobody reads the columns any more. Of each column the last one's memory is kept. */
  give(columns: ReadonlyMap<string, SharedColumn>): void {
    for (const [name, column] of columns) this.#spare.set(name, [...new Set(memoryOf(column))]);
  }

  /** Whoever takes it is the only one to have it. */
  take(names: readonly string[]): SharedArrayBuffer[] {
    return names.flatMap((name) => {
      const spare = this.#spare.get(name) ?? [];
      this.#spare.delete(name);
      return spare;
    });
  }
}

function memoryOf({
  nullBitmap,
  valueOffsets,
  values,
  children,
  dictionary,
}: SharedColumn): SharedArrayBuffer[] {
  const own = [nullBitmap, valueOffsets, values].flatMap((array) => array?.buffer ?? []);
  const parts = dictionary === undefined ? children : [...children, dictionary];
  return [...(own as SharedArrayBuffer[]), ...parts.flatMap(memoryOf)];
}
