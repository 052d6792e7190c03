/** What the encoder has counted of a feature so far. */
interface CountedFeature {
  readonly name: string;
  /** Of a list, the values in it. */
  readonly values: number;
  /** Of a list, rows without any value. */
  readonly missing: number;
  readonly unseen: number;
}

/** Of the values that validation rows have: what so many of them are is no help on the next day either. */
const MOSTLY_UNSEEN = 0.9;

/**
 * Features of which the model has little: those that no row of a side has a value of, and those whose validation values
 * training has hardly seen. A `required: false` lets the former through, and it is most often a column that was renamed:
 * nothing is learned of the new name, and what was learned of the old one is of no use any more. The latter are ids that
 * don't come again, such as of a visit, of which a model learns its training rows by heart.
 * @param trained of the training rows
 * @param all of the training rows and then the validation rows, in the same order
 * @param lists names of the features that are lists
 */
export function featureNotes(
  trained: readonly CountedFeature[],
  all: readonly CountedFeature[],
  lists: ReadonlySet<string>,
): string[] {
  const validated = all.map(({ name, values, missing, unseen }, index) => ({
    name,
    values: values - trained[index]!.values,
    missing: missing - trained[index]!.missing,
    unseen: unseen - trained[index]!.unseen,
  }));
  const known = ({ name, values, missing }: CountedFeature) => (lists.has(name) ? values : values - missing);
  const absent = (side: string, counted: readonly CountedFeature[], consequence: string) => {
    const names = counted.filter((each) => each.missing > 0 && known(each) === 0).map(({ name }) => name);
    return names.length === 0
      ? []
      : [
          `no ${side} row has a value of ${names.join(', ')}, ${consequence}: was a column renamed or dropped?`,
        ];
  };
  const strange = validated.filter((each) => known(each) > 0 && each.unseen >= MOSTLY_UNSEEN * known(each));
  return [
    ...absent('training', trained, 'so nothing was learned of it'),
    ...absent('validation', validated, 'so the checkpoint was chosen without it'),
    ...strange.map(
      (each) =>
        `${((100 * each.unseen) / known(each)).toFixed(1)}% of the validation rows' values of ${each.name} are not known from training, ` +
        'so what is learned of them is of no use on a new day: leave the feature out if its values never come again',
    ),
  ];
}
