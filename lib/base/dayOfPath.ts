import { RecordBatch, Schema } from 'apache-arrow';
import { calendarDayMillis, DAY_MILLIS } from './calendarDay.ts';

/** A date, and an hour behind it perhaps. */
const DATE = /^(\d{4})-?(\d{2})-?(\d{2})(?:-?\d{2})?$/;
const DAY_KEY = 'ncs4cvr.day';

/**
 * The date that the folders of a path name, in days since 1970-01-01: the last one of the form key=value whose value is a date, as
 * 2022-05-06 or 20220506, also with an hour behind it; or else folders year=, month= and day=. Undefined without one.
 * @param path of a shard, such as `s3://bucket/logs/dt=2022-05-06/part-0.parquet`
 */
export function dayOfPath(path: string): number | undefined {
  const values = new Map<string, string>();
  for (const folder of path.split('/').slice(0, -1)) {
    const at = folder.indexOf('=');
    if (at > 0) values.set(folder.slice(0, at).toLowerCase(), folder.slice(at + 1));
  }
  const days = [...values.values()].map((value) => dayNumber(DATE.exec(value)));
  const [year, month, day] = ['year', 'month', 'day'].map((name) => values.get(name) ?? '');
  const inFolders = /^(\d{4})-(\d{2})-(\d{2})$/.exec(
    `${year}-${month!.padStart(2, '0')}-${day!.padStart(2, '0')}`,
  );
  return days.findLast((each) => each !== undefined) ?? dayNumber(inFolders);
}

function dayNumber(parts: RegExpExecArray | null): number | undefined {
  if (parts === null) return undefined;
  const millis = calendarDayMillis(`${parts[1]}-${parts[2]}-${parts[3]}`);
  return millis === undefined ? undefined : millis / DAY_MILLIS;
}

/** The rows with the date in their shard's path, which goes with them wherever they are written. @param uri of the shard */
export function withDayOfPath(batch: RecordBatch, uri: string): RecordBatch {
  const day = dayOfPath(uri);
  if (day === undefined) return batch;
  const { fields, metadata } = batch.schema;
  return new RecordBatch(new Schema(fields, new Map([...metadata, [DAY_KEY, String(day)]])), batch.data);
}

/** What `withDayOfPath` has noted. */
export function dayOfBatch({ schema }: RecordBatch): number | undefined {
  const day = schema.metadata.get(DAY_KEY);
  return day !== undefined && /^-?\d{1,7}$/.test(day) ? Number(day) : undefined;
}
