/** How often a feature had no value so far. */
interface CountedFeature {
  readonly name: string;
  readonly values: number;
  readonly missing: number;
}

/**
 * Which features no row of a side has. A `required: false` lets such a table through, and it is most often a column that
 * was renamed: nothing is learned of the new name, and what was learned of the old one is of no use any more.
 * @param trained of the training rows
 * @param all of the training rows and then the validation rows, in the same order
 */
export function absentFeatureNotes(
  trained: readonly CountedFeature[],
  all: readonly CountedFeature[],
): string[] {
  const validated = all.map(({ name, values, missing }, index) => ({
    name,
    values: values - trained[index]!.values,
    missing: missing - trained[index]!.missing,
  }));
  return [
    ...noteOf('training', trained, 'so nothing was learned of it'),
    ...noteOf('validation', validated, 'so the checkpoint was chosen without it'),
  ];
}

function noteOf(side: string, counted: readonly CountedFeature[], consequence: string): string[] {
  const names = counted
    .filter(({ values, missing }) => values > 0 && missing === values)
    .map(({ name }) => name);
  return names.length === 0
    ? []
    : [`no ${side} row has a value of ${names.join(', ')}, ${consequence}: was a column renamed or dropped?`];
}
