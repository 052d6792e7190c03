import { expect, test } from 'vitest';
import { featureNotes } from '../../lib/recipe/featureNotes.ts';

const NOTHING = { values: 0, missing: 0, unseen: 0 };
const counted = (name: string, values: number, missing: number, unseen: number) => ({
  name,
  values,
  missing,
  unseen,
});
const notesOf = (
  training: ReturnType<typeof counted>,
  validation: Omit<ReturnType<typeof counted>, 'name'>,
  isList = false,
) => {
  const all = counted(
    training.name,
    training.values + validation.values,
    training.missing + validation.missing,
    training.unseen + validation.unseen,
  );
  return featureNotes([training], [all], new Set(isList ? [training.name] : []));
};

test('a feature whose validation values training has hardly seen is named with their share of those that are there', () => {
  const trained = counted('visit', 1000, 0, 50);
  const [note, ...others] = notesOf(trained, { values: 400, missing: 200, unseen: 190 });
  expect(note).toMatch(/^95\.0% of the validation rows' values of visit are not known from training/);
  expect(others).toEqual([]);
  expect(notesOf(trained, { values: 400, missing: 200, unseen: 179 })).toEqual([]);
  // Rows without a value are no values of a list.
  expect(notesOf(trained, { values: 200, missing: 300, unseen: 180 }, true)[0]).toMatch(/^90\.0% of/);
});

test('a feature that a side has no value of is named, a list too, and one with as many values as rows without is not', () => {
  const listed = counted('seen', 500, 100, 0);
  expect(notesOf(listed, { ...NOTHING, missing: 300 }, true)).toEqual([
    expect.stringMatching(/^no validation row has a value of seen, so the checkpoint/),
  ]);
  expect(notesOf(listed, { values: 300, missing: 300, unseen: 0 }, true)).toEqual([]);
  expect(notesOf(counted('old', 500, 500, 0), { values: 300, missing: 0, unseen: 0 })).toEqual([
    expect.stringMatching(/^no training row has a value of old, so nothing was learned/),
  ]);
});
