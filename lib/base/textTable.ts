export interface TableLayout {
  /** The first columns, as many as this, are aligned on the left, all others on the right. All on the left by default. */
  readonly leftColumns?: number;
}

/** Columns as wide as their longest cell, two spaces apart; the first row is the head. */
export function formatTable(
  rows: readonly (readonly string[])[],
  { leftColumns = Number.POSITIVE_INFINITY }: TableLayout = {},
): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  const align = (cell: string, column: number) =>
    column < leftColumns ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!);
  return rows.map((row) => row.map(align).join('  ').trimEnd()).join('\n');
}

/** Two columns: names and values. */
export function formatFacts(facts: Readonly<Record<string, string | number>>): string {
  return formatTable(Object.entries(facts).map(([name, value]) => [name, String(value)]));
}
