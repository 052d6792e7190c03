import {
  type Data,
  DataType,
  DateUnit,
  Int32,
  Int64,
  makeData,
  type Timestamp,
  TimeUnit,
} from 'apache-arrow';
import { z } from 'zod';
import { isValid } from '../base/arrowColumns.ts';

/** Hour from 0 to 23; weekday from 1, Monday, to 7; whole days from the value's day to the row's. */
const partSchema = z.enum(['hour', 'weekday', 'ageDays']);

/** What a feature makes of a date or timestamp. */
export const momentSchema = z.union([
  partSchema,
  z.strictObject({
    /** What of the moment is read. */
    part: partSchema,
    /** In which hours and days are told; UTC by default. Dates have none. */
    timeZone: z.string().refine(isTimeZone, "not a time zone, such as 'Europe/Berlin'").optional(),
    /** Of ageDays: the column with the row's date or time; the date in the shard's path by default. */
    at: z.string().min(1).optional(),
  }),
]);
export type Moment = z.infer<typeof momentSchema>;

/** As it is read: with UTC where nothing else is said. */
export interface MomentSettings {
  readonly part: z.infer<typeof partSchema>;
  readonly timeZone: string;
  readonly at: string | undefined;
}

export function momentSettings(moment: Moment): MomentSettings {
  const { part, timeZone = 'UTC', at } = typeof moment === 'string' ? { part: moment } : moment;
  return { part, timeZone, at };
}

/** Whether a column holds what the part can be told of. A date has no hour. */
export function isMomentColumn(type: DataType, { part }: Pick<MomentSettings, 'part'>): boolean {
  return (part !== 'hour' && DataType.isDate(type)) || DataType.isTimestamp(type) || DataType.isNull(type);
}

/** The hour or weekday of each value, as integers. @param column of dates or timestamps */
export function hoursOrWeekdays(column: Data, { part, timeZone }: MomentSettings): Data {
  const hours = localHours(column, timeZone);
  const parts = part === 'hour' ? hours.map(hourOfDay) : hours.map(weekday);
  return makeData({ ...validityOf(column), type: new Int32(), data: Int32Array.from(parts) });
}

/** Days from 1970-01-01 to the day of each value. @param column as above */
function dayNumbers(column: Data, { timeZone }: Pick<MomentSettings, 'timeZone'>): Float64Array {
  return localHours(column, timeZone).map((hour) => Math.floor(hour / DAY_HOURS));
}

/** How many days before `today` each value's day lies; below 0 after it. Null where either is. @param today days, or one for all */
export function ages(
  column: Data,
  today: { readonly column: Data } | { readonly day: number },
  settings: Pick<MomentSettings, 'timeZone'>,
): Data {
  const days = dayNumbers(column, settings);
  const todays = 'column' in today ? dayNumbers(today.column, settings) : undefined;
  const { length } = column;
  const data = new BigInt64Array(length);
  const nullBitmap = new Uint8Array((length + 7) >> 3);
  let nullCount = 0;
  for (let row = 0; row < length; row++) {
    if (!isValid(column, row) || ('column' in today && !isValid(today.column, row))) {
      nullCount++;
      continue;
    }
    data[row] = BigInt(('day' in today ? today.day : todays![row]!) - days[row]!);
    nullBitmap[row >> 3]! |= 1 << (row & 7);
  }
  return makeData({ type: new Int64(), length, nullCount, nullBitmap, data });
}

const DAY_HOURS = 24;
const HOUR_SECONDS = 3600;
const DAY_SECONDS = DAY_HOURS * HOUR_SECONDS;

function hourOfDay(hours: number): number {
  return hours - DAY_HOURS * Math.floor(hours / DAY_HOURS);
}

/** 1970-01-01 was a Thursday, the fourth day. */
function weekday(hours: number): number {
  const days = Math.floor(hours / DAY_HOURS) + 3;
  return 1 + days - 7 * Math.floor(days / 7);
}

function validityOf({ length, nullCount, nullBitmap, offset }: Data) {
  return { length, nullCount, nullBitmap, offset };
}

/** Whole hours of the clock from 1970-01-01 to each value; anything for null. */
function localHours(column: Data, timeZone: string): Float64Array {
  const { type, length } = column;
  if (DataType.isNull(type)) return new Float64Array(length);
  if (DataType.isDate(type)) {
    const perDay = type.unit === DateUnit.DAY ? 1 : DAY_SECONDS * 1000;
    const days = Float64Array.from(column.values as Int32Array | BigInt64Array, Number);
    return days.map((value) => Math.floor(value / perDay) * DAY_HOURS);
  }
  const unit = UNITS_PER_SECOND[(type as Timestamp).unit];
  const offsetOf = timeZone === 'UTC' ? () => 0 : zoneOffsets(timeZone);
  const values = column.values as BigInt64Array;
  const hours = new Float64Array(length);
  for (let row = 0; row < length; row++) {
    // A null's slot may hold anything.
    if (!isValid(column, row)) continue;
    const seconds = wholeSeconds(values[row]!, unit);
    hours[row] = Math.floor((seconds + offsetOf(seconds)) / HOUR_SECONDS);
  }
  return hours;
}

const UNITS_PER_SECOND = {
  [TimeUnit.SECOND]: 1n,
  [TimeUnit.MILLISECOND]: 1000n,
  [TimeUnit.MICROSECOND]: 1_000_000n,
  [TimeUnit.NANOSECOND]: 1_000_000_000n,
} as const;

/** Rounded down, before 1970 too. As a float64 alone, the last nanoseconds of an hour would be the next one. */
function wholeSeconds(value: bigint, unit: bigint): number {
  const seconds = value / unit;
  return Number(value < 0n && seconds * unit !== value ? seconds - 1n : seconds);
}

/** Clocks are set at such times only, within living memory. */
const BLOCK_SECONDS = 900;
/** What Date can hold. */
const LAST_SECOND = 8.64e12;

/** How far the clocks of a zone are ahead of UTC, in seconds. */
function zoneOffsets(timeZone: string): (seconds: number) => number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  const known = new Map<number, number>();
  return (seconds) => {
    const block = Math.floor(seconds / BLOCK_SECONDS);
    let offset = known.get(block);
    if (offset === undefined) {
      offset = Math.abs(seconds) > LAST_SECOND ? 0 : offsetAt(format, block * BLOCK_SECONDS);
      known.set(block, offset);
    }
    return offset;
  };
}

function offsetAt(format: Intl.DateTimeFormat, seconds: number): number {
  const name = format.formatToParts(seconds * 1000).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign, hours = '0', minutes = '0', rest = '0'] =
    /^GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(name) ?? [];
  const size = HOUR_SECONDS * Number(hours) + 60 * Number(minutes) + Number(rest);
  return sign === '-' ? -size : size;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
