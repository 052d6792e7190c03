import { isRecord } from '../base/jsonDocument.ts';
import { didYouMean } from '../base/nearestName.ts';
import { SCORE_NAMES } from '../base/tasks.ts';

/**
 * Checks across a contract document that a shape schema can't express. Reads an unvalidated document
 * defensively, so that these problems are reported together with those of its shape.
 */
export function crossCheckContract(document: unknown): string[] {
  if (!isRecord(document)) return [];
  const features = Array.isArray(document.features) ? document.features.filter(isRecord) : [];
  const tables = isRecord(document.tables) ? document.tables : {};
  const rowKeys = strings(document.rowKeys);
  return [
    ...duplicates(rowKeys).map((key) => `rowKeys: '${key}' is listed twice`),
    ...rowKeys.filter(isScoreName).map((key) => `rowKeys: '${key}' is the name of a score in the output`),
    ...checkNames(features),
    ...checkTables(features, tables),
    ...checkFiles(features, tables),
    ...features.flatMap((feature, index) => checkNumbers(feature, index)),
    ...features.flatMap((feature, index) => checkDerived(feature, index, tables)),
  ];
}

function checkNames(features: readonly Record<string, unknown>[]): string[] {
  const names = strings(features.map((feature) => feature.name ?? feature.column));
  return duplicates(names).map((name) => `features: two features are called '${name}'; give one a 'name'`);
}

function checkTables(
  features: readonly Record<string, unknown>[],
  tables: Readonly<Record<string, unknown>>,
): string[] {
  const problems = Object.entries(tables).flatMap(([name, table]) => checkTable(table, `tables.${name}`));
  const used = new Set<string>();
  const names = new Set(Object.keys(tables));
  features.forEach((feature, index) => {
    const { table } = feature;
    if (typeof table === 'string') {
      used.add(table);
      if (!names.has(table)) {
        const known = names.size === 0 ? 'none' : [...names].join(', ');
        problems.push(
          `features.${index}.table: no table '${table}' (tables: ${known})${didYouMean(table, [...names])}`,
        );
      }
      return;
    }
    problems.push(...checkTable(table, `features.${index}.table`));
    const own = String(feature.name ?? feature.column);
    const hasOwnTable = isRecord(table) || feature.kind === 'bucketed';
    if (hasOwnTable && names.has(own)) {
      problems.push(`features.${index}: the name '${own}' is taken by a shared table`);
    }
  });
  for (const name of names) if (!used.has(name)) problems.push(`tables.${name}: no feature uses this table`);
  return problems;
}

/** A vocabulary that two tables name would be written twice, the second over the first. */
function checkFiles(
  features: readonly Record<string, unknown>[],
  tables: Readonly<Record<string, unknown>>,
): string[] {
  const all = [...Object.values(tables), ...features.map(({ table }) => table)].filter(isRecord);
  const fitted = all.map(({ vocabulary }) => isRecord(vocabulary) && vocabulary.fitted).filter(isRecord);
  return duplicates(strings(fitted.map(({ file }) => file))).map(
    (file) => `two tables name the file '${file}'`,
  );
}

function checkTable(table: unknown, path: string): string[] {
  if (!isRecord(table)) return [];
  const problems: string[] = [];
  if ((table.vocabulary === undefined) === (table.hash === undefined)) {
    problems.push(`${path}: give exactly one of 'vocabulary' and 'hash'`);
  }
  if (table.type === 'int') {
    const wrong = strings(table.missingValues).filter((value) => !isInt64(value));
    for (const value of wrong.slice(0, MAX_LISTED)) {
      problems.push(`${path}: '${value}' is not an int64 in plain decimal digits`);
    }
  }
  return problems;
}

function checkNumbers(feature: Record<string, unknown>, index: number): string[] {
  const problems: string[] = [];
  const { clip, fitted } = feature;
  if (
    isRecord(clip) &&
    typeof clip.min === 'number' &&
    typeof clip.max === 'number' &&
    clip.min >= clip.max
  ) {
    problems.push(`features.${index}.clip: min ${clip.min} must be below max ${clip.max}`);
  }
  if (isRecord(fitted) && Array.isArray(fitted.boundaries)) {
    const boundaries = fitted.boundaries.filter((value) => typeof value === 'number');
    if (boundaries.some((value, i) => i > 0 && value <= boundaries[i - 1]!)) {
      problems.push(`features.${index}.fitted.boundaries: must ascend`);
    }
  }
  return problems;
}

/** What is made of a column by `from` must be what the feature's table takes. */
function checkDerived(
  { from, table }: Record<string, unknown>,
  index: number,
  tables: Readonly<Record<string, unknown>>,
): string[] {
  if (from === undefined) return [];
  const path = `features.${index}.from`;
  const problems: string[] = [];
  const definition = typeof table === 'string' ? tables[table] : table;
  const type = from === 'hex' ? 'string' : 'int';
  if (isRecord(definition) && definition.type !== type) {
    const made = from === 'hex' ? 'text' : 'integers';
    problems.push(`${path}: makes ${made}, so the table must be of type '${type}'`);
  }
  if (isRecord(from) && from.at !== undefined && from.part !== 'ageDays') {
    problems.push(`${path}.at: only ageDays counts up to another column's day`);
  }
  return problems;
}

/** Problems of one kind listed for one table: missing values of the wrong type would fill the screen. */
const MAX_LISTED = 10;

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/** One spelling per value ('7', not '07'), so that comparing text compares values. */
export function isInt64(text: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const integer = BigInt(text);
  return integer >= INT64_MIN && integer <= INT64_MAX;
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function isScoreName(name: string): boolean {
  return SCORE_NAMES.some((score) => score === name);
}

function duplicates(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.size === seen.add(name).size);
}
