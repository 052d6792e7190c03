import { isUtf8 } from 'node:buffer';
import { type DataType, type RecordBatch, DataType as Types } from 'apache-arrow';
import { columnOf, isRowKeyType, nestedAdvice, typeText } from '../base/arrowColumns.ts';
import { isIntColumn, isNumberColumn, isStringColumn, readNumbers } from '../features/columnValues.ts';

/** What a feature, a label or a row key can be made of; `other` can be none of them. */
type ValueKind = 'integer' | 'float' | 'string' | 'integers' | 'floats' | 'strings' | 'time' | 'other';

/** A value as it is compared here: text, or a number where it is one exactly. */
export type SampledValue = string | number;

/** What the sampled rows say of one column. */
export interface ColumnSample {
  readonly name: string;
  /** Such as `Int64` or `List<Utf8>`. */
  readonly type: string;
  readonly kind: ValueKind;
  /** Whether a contract takes it as a row key. */
  readonly canBeKey: boolean;
  /** What may be done about values that lie within it, where no path names them. */
  readonly advice?: string;
  /** Why no shard's column can be decoded. */
  readonly unreadable?: string;
  /** Of every sampled row in order; null where there is none. Of a list, its length. */
  readonly values: readonly (SampledValue | null)[];
  /** As `values`, but of a list all that is in it, as text: what tells two rows apart. */
  readonly whole: readonly (SampledValue | null)[];
  readonly nulls: number;
  /** Sampled shards that have no such column. */
  readonly absentShards: number;
  /** Undefined where no folder names a day. */
  readonly span?: ColumnSpan | undefined;
  /** How often each value was seen; of lists, the values within them. */
  readonly counts: ReadonlyMap<SampledValue, number>;
}

/** Days, YYYY-MM-DD, of the sampled shards that have a column. */
interface ColumnSpan {
  readonly first: string;
  readonly last: string;
  /** Of all sampled shards. */
  readonly newestSampled: string;
}

/** Its name without the structs around it. */
export function ownName({ name }: Pick<ColumnSample, 'name'>): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

/** `ownName` with an underscore for blanks and signs, as columns are called in most tables: `User ID` is `User_ID`. */
export function plainName(column: Pick<ColumnSample, 'name'>): string {
  return ownName(column).replace(/[^\p{L}\p{N}]+/gu, '_');
}

/** What `to_parquet` writes of an index without a name. */
export const PANDAS_INDEX = /^__index_level_\d+__$/;

/** Values of a column that are told apart; more are as good as countless. */
const MOST_DISTINCT = 200_000;

/** Collects a column row by row. */
export class ColumnSampler {
  readonly #values: (SampledValue | null)[] = [];
  readonly #whole: (SampledValue | null)[] = [];
  readonly #counts = new Map<SampledValue, number>();
  #nulls = 0;

  readonly name: string;
  #type: DataType;
  /** Of a shard whose values are of another kind. */
  #otherType: DataType | undefined;

  /** @param type of the first shard; that of a later one where this has no value, or whole numbers and the later one fractions */
  constructor(name: string, type: DataType) {
    this.name = name;
    this.#type = type;
  }

  /** The first `count` rows of a batch that has the column. */
  addRows(batch: RecordBatch, count: number): void {
    const data = columnOf(batch, this.name);
    if (data !== undefined && isWider(data.type, this.#type)) this.#type = data.type;
    else if (data !== undefined && !isLike(data.type, this.#type)) this.#otherType ??= data.type;
    if (data !== undefined && kindOf(data.type) === 'float') {
      const numbers = new Float64Array(count);
      readNumbers(data, 0, count, numbers);
      for (const number of numbers) this.#add(number, false);
      return;
    }
    const vector = batch.getChild(this.name);
    const isList = data !== undefined && Types.isList(data.type);
    for (let row = 0; row < count; row++) this.#add(vector?.get(row), isList);
  }

  /** Rows of shards without the column. */
  addMissing(count: number): void {
    for (let row = 0; row < count; row++) this.#add(null, false);
  }

  /** @param value as Arrow's vectors give it @param isList as its own shard has it */
  #add(value: unknown, isList: boolean): void {
    if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) {
      this.#nulls++;
      this.#values.push(null);
      this.#whole.push(null);
    } else if (isList) {
      const all = [...(value as Iterable<unknown>)].map((item) => (item === null ? null : comparable(item)));
      const items = all.filter((item) => item !== null);
      for (const item of items) this.#count(item);
      this.#values.push(items.length);
      this.#whole.push(JSON.stringify(all));
    } else {
      const own = comparable(value);
      this.#count(own);
      this.#values.push(own);
      this.#whole.push(own);
    }
  }

  sample(absentShards: number, span?: ColumnSpan): ColumnSample {
    const other = this.#otherType;
    const advice =
      other === undefined ? nestedAdvice(this.name, this.#type) : 'write it as one of them in all shards';
    return {
      ...(advice === undefined ? {} : { advice }),
      name: this.name,
      type: other === undefined ? typeText(this.#type) : `${typeText(this.#type)} or ${typeText(other)}`,
      kind: other === undefined ? kindOf(this.#type) : 'other',
      canBeKey: other === undefined && isRowKeyType(this.#type),
      values: this.#values,
      whole: this.#whole,
      nulls: this.#nulls,
      absentShards,
      span,
      counts: this.#counts,
    };
  }

  #count(value: SampledValue): void {
    const known = this.#counts.get(value);
    if (known === undefined && this.#counts.size === MOST_DISTINCT) return;
    this.#counts.set(value, (known ?? 0) + 1);
  }
}

/** Is it of lists of values? */
export function isListKind(kind: ValueKind): boolean {
  return kind === 'integers' || kind === 'floats' || kind === 'strings';
}

/** Integers, or whole numbers that pandas or a warehouse has put down in another way. */
export function isIds({ kind, counts }: ColumnSample): boolean {
  if (kind === 'integer') return true;
  return (
    kind === 'float' && counts.size > 0 && [...counts.keys()].every((value) => Number.isSafeInteger(value))
  );
}

export function isBinary({ counts, kind }: ColumnSample): boolean {
  const isNumber = kind === 'integer' || kind === 'float';
  return isNumber && counts.size > 0 && [...counts.keys()].every((value) => value === 0 || value === 1);
}

function comparable(value: unknown): SampledValue {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  // Bytes that are no text are told apart in this way, too.
  if (value instanceof Uint8Array) return Buffer.from(value).toString(isUtf8(value) ? 'utf8' : 'hex');
  return String(value);
}

/** A writer without a schema makes the type anew for every file: of nulls alone it has none, of ids with nulls a float. */
function isWider(type: DataType, than: DataType): boolean {
  const [kind, narrow] = [kindOf(type), kindOf(than)];
  return (
    Types.isNull(than) ||
    (isListOfNulls(than) && Types.isList(type)) ||
    (kind === 'float' && narrow === 'integer') ||
    (kind === 'floats' && narrow === 'integers')
  );
}

/** Does a column of the one type go with shards that have the other, which isn't wider? */
function isLike(type: DataType, other: DataType): boolean {
  const kind = kindOf(type);
  return (
    Types.isNull(type) ||
    isWider(other, type) ||
    (kind === 'other' ? typeText(type) === typeText(other) : kind === kindOf(other))
  );
}

/** Of lists that are all empty a writer without a schema doesn't know what they are of. */
function isListOfNulls(type: DataType): boolean {
  return Types.isList(type) && Types.isNull(type.children[0]!.type);
}

function kindOf(type: DataType): ValueKind {
  if (Types.isDate(type) || Types.isTimestamp(type)) return 'time';
  if (isIntColumn(type)) return 'integer';
  if (isNumberColumn(type)) return 'float';
  if (isStringColumn(type) || Types.isFixedSizeBinary(type)) return 'string';
  if (Types.isList(type)) {
    const item = type.children[0]!.type as DataType;
    if (isIntColumn(item)) return 'integers';
    if (isNumberColumn(item)) return 'floats';
    if (isStringColumn(item) || Types.isFixedSizeBinary(item)) return 'strings';
  }
  return 'other';
}
