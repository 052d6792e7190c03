import { Ncs4cvrError } from '../base/errors.ts';
import { didYouMean } from '../base/nearestName.ts';
import type { ColumnSample } from './columnSample.ts';

/**
 * The column that a user has named.
 * @param option that names it, such as `keys`
 * @throws Ncs4cvrError INIT_NO_COLUMN: there is none, or none that can be read
 */
export function namedColumn(
  columns: readonly ColumnSample[],
  name: string,
  option: string,
  file: string,
): ColumnSample {
  const found = columns.find((column) => column.name === name);
  if (found !== undefined && found.unreadable === undefined) return found;
  const names = columns.map((column) => column.name);
  const summary = `--${option} names no column that can be read${didYouMean(name, names)}`;
  throw new Ncs4cvrError('INIT_NO_COLUMN', summary, {
    file,
    column: name,
    expected: `one of ${names.join(', ')}`,
    found: found?.unreadable ?? 'no such column',
  });
}
