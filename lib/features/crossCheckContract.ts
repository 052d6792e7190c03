/**
 * Checks between parts of a contract document that a shape schema can't express. Reads an unvalidated document
 * defensively, so that these problems are reported in one go with the shape's.
 */
export function crossCheckContract(document: unknown): string[] {
  if (!isRecord(document)) return [];
  const features = Array.isArray(document.features) ? document.features.filter(isRecord) : [];
  const tables = isRecord(document.tables) ? document.tables : {};
  return [
    ...duplicates(strings(document.rowKeys)).map((key) => `rowKeys: '${key}' is listed twice`),
    ...checkNames(features),
    ...checkTables(features, tables),
    ...features.flatMap((feature, index) => checkNumbers(feature, index)),
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
        problems.push(`features.${index}.table: no table '${table}' (tables: ${known})`);
      }
    } else if (table !== undefined) {
      problems.push(...checkTable(table, `features.${index}.table`));
      const own = String(feature.name ?? feature.column);
      if (names.has(own))
        problems.push(`features.${index}.table: the name '${own}' is taken by a shared table`);
    }
  });
  for (const name of names) if (!used.has(name)) problems.push(`tables.${name}: no feature uses this table`);
  return problems;
}

function checkTable(table: unknown, path: string): string[] {
  if (!isRecord(table)) return [];
  const problems: string[] = [];
  if ((table.vocabulary === undefined) === (table.hash === undefined)) {
    problems.push(`${path}: give exactly one of 'vocabulary' and 'hash'`);
  }
  if (table.type !== 'int') return problems;
  const fitted =
    isRecord(table.vocabulary) && isRecord(table.vocabulary.fitted) ? table.vocabulary.fitted : {};
  const values = [
    ...(Array.isArray(table.missingValues) ? table.missingValues : []),
    ...(Array.isArray(fitted.values) ? fitted.values : []),
  ];
  const wrong = values.find((value) => !isInt64(value));
  if (wrong !== undefined) problems.push(`${path}: '${wrong}' is not a 64-bit integer`);
  const repeated = duplicates(strings(fitted.values))[0];
  if (repeated !== undefined) problems.push(`${path}.vocabulary.fitted: '${repeated}' is listed twice`);
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
    if (boundaries.some((value, i) => i > 0 && value <= (boundaries[i - 1] ?? Number.NaN))) {
      problems.push(`features.${index}.fitted.boundaries: must ascend`);
    }
  }
  return problems;
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

function isInt64(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return false;
  const integer = BigInt(value);
  return integer >= INT64_MIN && integer <= INT64_MAX;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function duplicates(names: readonly string[]): string[] {
  const seen = new Set<string>();
  return names.filter((name) => seen.size === seen.add(name).size);
}
