import { type Data, DataType, type RecordBatch, TimeUnit } from 'apache-arrow';
import { openPredictions } from '../arrow/readPredictions.ts';
import { SequentialFile } from '../arrow/sequentialFile.ts';
import { columnOf, isValid } from '../base/arrowColumns.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import { storageFor } from '../storage/openStorage.ts';
import { joinPath } from '../storage/uri.ts';
import type { Suspect } from './fingerprintBucket.ts';
import { KeyFingerprints } from './keyFingerprints.ts';
import type { KeyedPart } from './openFingerprints.ts';

/** A row that has a repeated key. */
interface RepeatedRow {
  /** Below the partition's input folder. */
  readonly shard: string;
  readonly partId: string;
  readonly pctr: number;
  readonly pcvr: number;
  readonly pctcvr: number;
}

export interface RepeatedKey {
  /** Such as `user_id=5, request="a"`. */
  readonly key: string;
  /** The first four that were read, in the order of the parts. */
  readonly rows: readonly RepeatedRow[];
}

const MOST_EXAMPLES = 5;
const MOST_ROWS_OF_EXAMPLE = 4;

/**
 * Reads the keys of rows whose fingerprints are equal. Where that takes more than so many rows of parts, two parts of each
 * suspect are read, for as many suspects as it allows, and for one at least.
 * @param suspects in ascending order; their parts by their place in `parts`
 */
export async function confirmRepeats(
  root: string,
  parts: readonly KeyedPart[],
  suspects: readonly Suspect[],
  rowsToConfirm: number,
): Promise<{
  readonly repeatedRows: number;
  readonly examples: readonly RepeatedKey[];
  readonly isAll: boolean;
}> {
  const rowsOf = (indexes: Iterable<number>) =>
    [...indexes].reduce((sum, index) => sum + parts[index]!.rows, 0);
  let toRead = new Set(suspects.flatMap((suspect) => suspect.parts));
  const isAll = rowsOf(toRead) <= rowsToConfirm;
  let chosen = suspects;
  if (!isAll) {
    toRead = new Set();
    chosen = suspects.filter((suspect, index) => {
      const more = new Set([...toRead, ...suspect.parts.slice(0, 2)]);
      if (index > 0 && rowsOf(more) > rowsToConfirm) return false;
      toRead = more;
      return true;
    });
  }
  const rows = new SuspectRows(chosen);
  for (const index of [...toRead].sort((a, b) => a - b)) await rows.readPart(root, parts[index]!);
  return { ...rows.repeated(), isAll };
}

interface FoundKey {
  rowCount: number;
  readonly rows: RepeatedRow[];
}

class SuspectRows {
  /** By fingerprint, then by the key itself. */
  readonly #found: Map<bigint, Map<string, FoundKey>>;
  /** By the upper 16 bits: rows that are none are many. */
  readonly #mayBe = new Uint8Array(2 ** 16);

  constructor(suspects: readonly Suspect[]) {
    this.#found = new Map(suspects.map(({ fingerprint }) => [fingerprint, new Map()]));
    for (const { fingerprint } of suspects) this.#mayBe[Number(fingerprint >> 48n)] = 1;
  }

  async readPart(root: string, part: KeyedPart): Promise<void> {
    const uri = joinPath(root, part.path);
    const file = new SequentialFile(await storageFor(uri).open(uri));
    try {
      const { schema, batches } = await openPredictions(file);
      const names = part.keys.types.map(({ name }) => name);
      const fingerprints = new KeyFingerprints(schema, names);
      let start = 0;
      for await (const batch of batches) {
        const keys = names.map((name) => ({ name, data: columnOf(batch, name)! }));
        const { lows, highs } = fingerprints.of(batch);
        for (let row = 0; row < batch.numRows; row++) {
          if (this.#mayBe[highs[row]! >>> 16] === 0) continue;
          const found = this.#found.get((BigInt(highs[row]! >>> 0) << 32n) | BigInt(lows[row]! >>> 0));
          if (found !== undefined) addRow(found, keys, batch, row, { part, rowsBefore: start });
        }
        start += batch.numRows;
      }
    } finally {
      await file.close();
    }
  }

  repeated(): { readonly repeatedRows: number; readonly examples: readonly RepeatedKey[] } {
    const keys = [...this.#found.values()]
      .flatMap((found) => [...found])
      .filter(([, { rowCount }]) => rowCount > 1);
    return {
      repeatedRows: keys.reduce((sum, [, { rowCount }]) => sum + rowCount - 1, 0),
      examples: keys.slice(0, MOST_EXAMPLES).map(([key, { rows }]) => ({ key, rows })),
    };
  }
}

function addRow(
  found: Map<string, FoundKey>,
  keys: readonly { readonly name: string; readonly data: Data }[],
  batch: RecordBatch,
  row: number,
  { part, rowsBefore }: { readonly part: KeyedPart; readonly rowsBefore: number },
): void {
  const key = keys.map(({ name, data }) => `${name}=${keyText(data, row)}`).join(', ');
  const known = found.get(key) ?? { rowCount: 0, rows: [] };
  found.set(key, known);
  known.rowCount++;
  if (known.rows.length >= MOST_ROWS_OF_EXAMPLE) return;
  const [pctr, pcvr, pctcvr] = SCORE_NAMES.map(
    (name) => (columnOf(batch, name)!.values as Float32Array)[row]!,
  ) as [number, number, number];
  known.rows.push({ shard: shardOf(part, rowsBefore + row), partId: part.partId, pctr, pcvr, pctcvr });
}

function shardOf({ spans }: KeyedPart, row: number): string {
  let end = 0;
  return spans.find((span) => {
    end += span.rows;
    return row < end;
  })!.shard;
}

const utf8 = new TextDecoder();

/** A value so that other values, also of other types, have other texts. */
function keyText(data: Data, row: number): string {
  if (!isValid(data, row)) return 'null';
  const { type, values } = data;
  if (DataType.isFixedSizeBinary(type)) {
    return hexOf(values as Uint8Array, row * type.byteWidth, (row + 1) * type.byteWidth);
  }
  if (DataType.isBinary(type) || DataType.isUtf8(type)) {
    const [start, end] = [data.valueOffsets[row]!, data.valueOffsets[row + 1]!];
    if (DataType.isBinary(type)) return hexOf(values as Uint8Array, start, end);
    return JSON.stringify(utf8.decode((values as Uint8Array).subarray(start, end)));
  }
  const integer = String((values as Int32Array | BigInt64Array)[row]);
  if (DataType.isTimestamp(type)) {
    return `${integer} ${TimeUnit[type.unit].toLowerCase()}s${type.timezone ? ` ${type.timezone}` : ''}`;
  }
  return DataType.isDate(type) ? `${integer} ${String(type)}` : integer;
}

function hexOf(bytes: Uint8Array, start: number, end: number): string {
  return `0x${Buffer.from(bytes.subarray(start, end)).toString('hex')}`;
}
