import { writeSync } from 'node:fs';

/** `npm run test:crash` tries everything; with the other tests runs one case of so many. */
export const SHARE = process.env.NCS4CVR_CRASH === 'all' ? 1 : 60;

/** A line per scenario, as it ends. */
export function report({
  name,
  cases,
  failures,
}: {
  name: string;
  cases: number;
  failures: readonly string[];
}): void {
  if (SHARE > 1) return;
  writeSync(2, `${name}: ${cases} cases, ${failures.length} failures\n`);
}
