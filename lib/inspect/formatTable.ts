/** Columns aligned by their longest cell, two spaces apart; the first row is the head. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Two columns: names and values. */
export function formatFacts(facts: Readonly<Record<string, string | number>>): string {
  return formatTable(Object.entries(facts).map(([name, value]) => [name, String(value)]));
}
