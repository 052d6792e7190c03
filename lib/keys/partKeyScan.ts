import type { RecordBatch, Schema } from 'apache-arrow';
import { columnOf } from '../base/arrowColumns.ts';
import { addWord, type Halves, KeyFingerprints } from './keyFingerprints.ts';
import { ROWS_PER_SUM, Sum64 } from './keySum.ts';
import type { PartKeys } from './partKeys.ts';
import { countRepeats, sortFingerprints } from './sortFingerprints.ts';

/** What a part's rows say of its keys. */
export interface ScannedKeys extends Omit<PartKeys, 'fingerprints'> {
  /** Of all rows, sorted, as little-endian 64-bit integers. */
  readonly fingerprintBytes: Uint8Array;
}

/** Takes the batches of a part in their order. Holds 8 bytes per row, and twice that at its end. */
export class PartKeyScan {
  readonly #schema: Schema;
  readonly #keyNames: readonly string[];
  readonly #keys: KeyFingerprints;
  readonly #spanEnds: readonly number[];
  readonly #words: Uint32Array;
  readonly #rowSums: Sum64[];
  readonly #keySums: Sum64[];
  readonly #mixed = { lows: new Int32Array(1), highs: new Int32Array(1) };
  #rows = 0;
  #span = 0;

  /**
   * @param schema of a prediction file
   * @param keyNames columns of types of isRowKeyType
   * @param spanRows rows of each span of the part, in its order
   */
  constructor(schema: Schema, keyNames: readonly string[], spanRows: readonly number[]) {
    this.#schema = schema;
    this.#keyNames = keyNames;
    this.#keys = new KeyFingerprints(schema, keyNames);
    let end = 0;
    this.#spanEnds = spanRows.map((rows) => {
      end += rows;
      return end;
    });
    this.#words = new Uint32Array(2 * end);
    this.#rowSums = spanRows.map(() => new Sum64());
    this.#keySums = spanRows.map(() => new Sum64());
  }

  /** @throws RangeError for more rows than the spans have */
  add(batch: RecordBatch): void {
    if (this.#rows + batch.numRows > this.#words.length / 2)
      throw new RangeError('more rows than the spans have');
    const fingerprints = this.#keys.of(batch);
    const pctr = bitsOf(batch, 'pctr');
    const pcvr = bitsOf(batch, 'pcvr');
    for (let row = 0; row < batch.numRows; ) {
      while (this.#rows >= this.#spanEnds[this.#span]!) this.#span++;
      const rows = Math.min(batch.numRows - row, this.#spanEnds[this.#span]! - this.#rows, ROWS_PER_SUM);
      this.#addRows(fingerprints, pctr, pcvr, row, rows);
      this.#rows += rows;
      row += rows;
    }
  }

  /** Rows [start, start + rows) of a batch, all of one span. */
  #addRows(fingerprints: Halves, pctr: Int32Array, pcvr: Int32Array, start: number, rows: number): void {
    const { lows, highs } = fingerprints;
    const words = this.#words;
    const mixed = this.#mixed;
    let [keyLow, keyHigh, rowLow, rowHigh] = [0, 0, 0, 0];
    let to = 2 * this.#rows;
    for (let row = start; row < start + rows; row++) {
      const low = lows[row]!;
      const high = highs[row]!;
      words[to++] = low;
      words[to++] = high;
      keyLow += low >>> 0;
      keyHigh += high >>> 0;
      mixed.lows[0] = low;
      mixed.highs[0] = high;
      addWord(mixed, 0, pctr[row]!, pcvr[row]!);
      rowLow += mixed.lows[0]! >>> 0;
      rowHigh += mixed.highs[0]! >>> 0;
    }
    this.#keySums[this.#span]!.add(keyLow, keyHigh);
    this.#rowSums[this.#span]!.add(rowLow, rowHigh);
  }

  /** When all rows have been added. */
  finish(): ScannedKeys {
    const sorted = sortFingerprints(this.#words.subarray(0, 2 * this.#rows));
    const types = this.#keyNames.map((name) => {
      const { type } = this.#schema.fields.find((field) => field.name === name)!;
      return { name, type: String(type) };
    });
    return {
      types,
      spans: this.#rowSums.map((sum) => sum.hex),
      keySpans: this.#keySums.map((sum) => sum.hex),
      repeatedRows: countRepeats(sorted),
      fingerprintBytes: new Uint8Array(sorted.buffer),
    };
  }
}

function bitsOf(batch: RecordBatch, name: string): Int32Array {
  const { buffer, byteOffset, length } = columnOf(batch, name)!.values as Float32Array;
  return new Int32Array(buffer, byteOffset, length);
}
