import { BufferType, Data, DataType, Dictionary, Field, List, type RecordBatch, Vector } from 'apache-arrow';
import {
  type ColumnRequirement,
  columnOf,
  dictionaryOf,
  type Indices,
  isValid,
} from '../base/arrowColumns.ts';
import { dayOfBatch } from '../base/dayOfPath.ts';
import { dayRequirement, dayUnknown, findColumn, requirementOf } from './columnRequirements.ts';
import { isIntColumn, isStringColumn } from './columnValues.ts';
import type { Feature, FeatureContract } from './contract.ts';
import { tableOf } from './featureLayout.ts';
import { ages, hoursOrWeekdays, type MomentSettings, momentSettings } from './momentParts.ts';
import {
  type Conversion,
  fixedText,
  hexText,
  NONE,
  type PlainValues,
  wholeDecimals,
  wholeNumbers,
} from './plainValues.ts';
import { UnreadableValueError } from './unreadableValue.ts';

/**
 * The column of a feature as its table or its numbers take it: floats as integers, bytes as text, timestamps as what the feature
 * declares. Most columns are taken as they are. Remembers what it made of a batch's column or dictionary.
 */
export class FeatureColumn {
  readonly #requirement: ColumnRequirement;
  readonly #dayRequirement: ColumnRequirement | undefined;
  readonly #conversionOf: (type: DataType) => Conversion | undefined;
  readonly #moment: MomentSettings | undefined;
  readonly #columns = new WeakMap<Data, Data>();
  readonly #dictionaries = new WeakMap<Data, PlainValues>();
  /** Of the column that was met last, and the date that they were counted up to. */
  #ages: { readonly data: Data; readonly day: number | undefined; readonly ages: Data } | undefined;

  /** @param requirement of the column; of this feature alone by default */
  constructor(contract: FeatureContract, feature: Feature, requirement = requirementOf(contract, feature)) {
    this.#requirement = requirement;
    this.#conversionOf = conversions(contract, feature);
    const { from } = feature;
    this.#moment = from === undefined || from === 'hex' ? undefined : momentSettings(from);
    this.#dayRequirement = dayRequirement(feature);
  }

  /**
   * @param day date in the path of the rows' shard, in days since 1970-01-01; by default the one noted on the batch
   * @returns undefined for an absent column
   * @throws ContractError CONTRACT_COLUMN_MISSING, CONTRACT_COLUMN_TYPE, SHARD_DAY_UNKNOWN; UnreadableValueError
   */
  of(batch: RecordBatch, day = dayOfBatch(batch)): Data | undefined {
    const data = findColumn(batch, this.#requirement);
    if (data === undefined) return undefined;
    if (this.#moment?.part === 'ageDays') return this.#agesOf(batch, data, this.#moment, day);
    const isList = DataType.isList(data.type);
    const conversion = this.#conversionOf(valueTypeOf(isList ? data.children[0]! : data));
    if (conversion === undefined) return data;
    let plain = this.#columns.get(data);
    if (plain === undefined) {
      plain = isList ? this.#plainList(data, conversion) : this.#plainColumn(data, conversion);
      this.#columns.set(data, plain);
    }
    return plain;
  }

  /** The column, where the batch has it and its values are taken as they are. */
  asItIs(batch: RecordBatch): Data | undefined {
    const data = columnOf(batch, this.#requirement.column);
    if (data === undefined || this.#moment?.part === 'ageDays') return undefined;
    if (!this.#requirement.accepts(valueTypeOf(data))) return undefined;
    const conversion = this.#conversionOf(valueTypeOf(DataType.isList(data.type) ? data.children[0]! : data));
    return conversion === undefined ? data : undefined;
  }

  #agesOf(batch: RecordBatch, data: Data, moment: MomentSettings, day: number | undefined): Data | undefined {
    const last = this.#ages;
    if (last?.data === data && last.day === day) return last.ages;
    let today: Parameters<typeof ages>[1];
    if (this.#dayRequirement !== undefined) {
      const column = findColumn(batch, this.#dayRequirement);
      if (column === undefined) return undefined;
      today = { column };
    } else if (day === undefined) {
      throw dayUnknown(this.#requirement.column);
    } else today = { day };
    const made = ages(data, today, moment);
    this.#ages = { data, day, ages: made };
    return made;
  }

  #plainColumn(data: Data, conversion: Conversion): Data {
    const { data: plain, unreadable } = this.#plainValues(data, conversion);
    const [first] = unreadable;
    if (first !== undefined) this.#refuse(...first, valueTypeOf(data));
    return plain;
  }

  #plainList(list: Data, conversion: Conversion): Data {
    const offsets = (list.valueOffsets as Int32Array).subarray(0, list.length + 1);
    const [start, end] = [offsets[0]!, offsets[list.length]!];
    // A slice has the elements of all rows.
    const element = list.children[0]!.slice(start, end - start);
    const { data: child, unreadable } = this.#plainValues(element, conversion);
    const own = start === 0 ? offsets : offsets.map((at) => at - start);
    let row = 0;
    for (const [place, value] of unreadable) {
      while (own[row + 1]! <= place) row++;
      if (isValid(list, row)) this.#refuse(row, value, valueTypeOf(element));
    }
    const { name, nullable } = (list.type as List).children[0]!;
    const type = new List(new Field(name, child.type as DataType, nullable));
    const buffers = { [BufferType.OFFSET]: own, [BufferType.VALIDITY]: list.nullBitmap } as never;
    return list.clone(type, list.offset, list.length, list.nullCount, buffers, [child]);
  }

  /** Of a dictionary, each value once; what can't be read is an error only where a row has it. */
  #plainValues(data: Data, conversion: Conversion): PlainValues {
    const dictionary = dictionaryOf(data);
    if (dictionary === undefined) return conversion(data);
    let values = this.#dictionaries.get(dictionary);
    if (values === undefined) {
      values = conversion(dictionary);
      this.#dictionaries.set(dictionary, values);
    }
    const { length, nullCount, nullBitmap, offset } = data;
    const type = new Dictionary(values.data.type as DataType, (data.type as Dictionary).indices);
    const buffers = [undefined, data.values, nullBitmap] as never;
    const plain = new Data(type, offset, length, nullCount, buffers, [], new Vector([values.data]));
    const { unreadable } = values;
    if (unreadable.size === 0) return { data: plain, unreadable };
    const ofRows = new Map<number, string>();
    const indices = data.values as Indices;
    for (let row = 0; row < length; row++) {
      const value = unreadable.get(indices[row]!);
      if (value !== undefined && isValid(data, row)) ofRows.set(row, value);
    }
    return { data: plain, unreadable: ofRows };
  }

  /** @param type of the values */
  #refuse(row: number, found: string, type: DataType): never {
    const bits = DataType.isDecimal(type) ? 63 : 53;
    throw new UnreadableValueError({
      ...{ row, column: this.#requirement.column, found },
      expected: `a whole number between -2^${bits} and 2^${bits}`,
    });
  }
}

function valueTypeOf(data: Data): DataType {
  return (dictionaryOf(data)?.type ?? data.type) as DataType;
}

/** What has to be done to values of a type that the feature accepts; undefined for nothing. */
function conversions(
  contract: FeatureContract,
  feature: Feature,
): (type: DataType) => Conversion | undefined {
  const { from } = feature;
  if (from !== undefined && from !== 'hex') {
    const settings = momentSettings(from);
    const conversion: Conversion = (data) => ({ data: hoursOrWeekdays(data, settings), unreadable: NONE });
    return (type) => (DataType.isNull(type) ? undefined : conversion);
  }
  if (feature.kind === 'numeric' || feature.kind === 'bucketed') return () => undefined;
  if (tableOf(contract, feature).definition.type === 'int') {
    return (type) => {
      if (isIntColumn(type)) return undefined;
      return DataType.isDecimal(type) ? wholeDecimals : wholeNumbers;
    };
  }
  if (from === 'hex') return (type) => (DataType.isNull(type) ? undefined : hexText);
  return (type) => (isStringColumn(type) ? undefined : fixedText);
}
