import { tableFromIPC } from 'apache-arrow';
import { messageOf, StorageError } from '../errors.ts';
import { storageFor } from '../storage/openStorage.ts';
import { formatFacts, formatTable } from './formatTable.ts';

const SHOWN_ROWS = 5;

/** A prediction file: its metadata, columns, rows, and the first few of them. Reads the whole file. */
export async function describePredictions(uri: string): Promise<string> {
  const bytes = await storageFor(uri).readWhole(uri);
  let table: ReturnType<typeof tableFromIPC>;
  try {
    table = tableFromIPC(bytes);
  } catch (cause) {
    throw new StorageError('INSPECT_UNREADABLE', `not a readable Arrow file: ${messageOf(cause)}`, {
      file: uri,
      cause,
    });
  }
  const facts = formatFacts({
    'prediction file': uri,
    rows: table.numRows,
    'record batches': table.batches.length,
    size: `${bytes.length} bytes`,
    ...Object.fromEntries(table.schema.metadata),
  });
  const columns = formatTable([
    ['column', 'type', 'nullable'],
    ...table.schema.fields.map(({ name, type, nullable }) => [name, String(type), nullable ? 'yes' : 'no']),
  ]);
  const rows = formatTable([
    table.schema.fields.map(({ name }) => name),
    ...Array.from({ length: Math.min(SHOWN_ROWS, table.numRows) }, (_, row) =>
      table.schema.fields.map(({ name }) => showValue(table.getChild(name)?.get(row))),
    ),
  ]);
  return `${facts}\n\n${columns}\n\n${rows}`;
}

function showValue(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(6) : String(value);
}
