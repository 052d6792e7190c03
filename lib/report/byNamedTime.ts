import { dayOfPartition } from './newestDay.ts';

/** Numbers by what they are: folders needn't have leading zeros, and `month=10` comes behind `month=9`. */
const { compare } = new Intl.Collator('en', { numeric: true });

/** Partitions by the day in their names, then by all that the names say: for pages that know no layout. */
export function byNamedTime(a: string, b: string): number {
  const [first, second] = [dayOfPartition(a) ?? '', dayOfPartition(b) ?? ''];
  if (first !== second) return first < second ? -1 : 1;
  return compare(a, b) || (a < b ? -1 : Number(a > b));
}
