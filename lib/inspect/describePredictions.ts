import { DataType } from 'apache-arrow';
import { readPredictions } from '../arrow/readPredictions.ts';
import type { RandomAccessFile } from '../storage/storage.ts';
import { formatFacts, formatTable } from './formatTable.ts';

const SHOWN_ROWS = 5;

/** A prediction file: its metadata, columns, rows (counted batch by batch), and the first few of them. */
export async function describePredictions(file: RandomAccessFile): Promise<string> {
  const { rowCount, batchCount, schema, metadata, rows } = await readPredictions(file, SHOWN_ROWS);
  const facts = formatFacts({
    'prediction file': file.uri,
    rows: rowCount,
    'record batches': batchCount,
    size: `${file.sizeBytes} bytes`,
    ...Object.fromEntries(metadata),
  });
  const columns = formatTable([
    ['column', 'type', 'nullable'],
    ...schema.fields.map(({ name, type, nullable }) => [name, String(type), nullable ? 'yes' : 'no']),
  ]);
  const firstRows = formatTable([
    schema.fields.map(({ name }) => name),
    ...rows.map((row) => schema.fields.map(({ name, type }) => showValue(row[name], type))),
  ]);
  return `${facts}\n\n${columns}\n\n${firstRows}`;
}

/** Arrow gives dates and timestamps as milliseconds since 1970; beyond the years of Date the number is shown. */
function showValue(value: unknown, type: DataType): string {
  if (typeof value !== 'number') return String(value);
  const isDate = DataType.isDate(type);
  if ((isDate || DataType.isTimestamp(type)) && !Number.isNaN(new Date(value).getTime())) {
    const text = new Date(value).toISOString();
    return isDate ? text.slice(0, text.indexOf('T')) : text;
  }
  return Number.isInteger(value) ? String(value) : value.toPrecision(6);
}
