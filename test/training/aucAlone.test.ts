import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { UNKNOWN_CLICK } from '../../lib/base/tasks.ts';
import { aucsAlone } from '../../lib/training/aucAlone.ts';
import type { TrainingSet } from '../../lib/training/trainingSet.ts';
import { syntheticLayout, syntheticRows } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ singles: 3, lists: [4, 2], numerics: 2, buckets: 9 });
const ROWS = 2000;
const random = new RandomStream(11);

/** Labels that no feature knows, or those of the rows; then what `write` makes of every row's features. */
function rowsWith(seed: number, write: (set: TrainingSet, row: number) => void, soft = false): TrainingSet {
  const set = syntheticRows(layout, ROWS, { seed, soft });
  for (let row = 0; row < ROWS; row++) write(set, row);
  return set;
}

function aucsOf(write: (set: TrainingSet, row: number) => void, soft = false) {
  const found = aucsAlone(layout, rowsWith(1, write, soft), rowsWith(2, write, soft));
  return Object.fromEntries(found.map(({ feature, aucs }) => [feature, aucs]));
}

const setSingle = (set: TrainingSet, row: number, field: number, id: number) => {
  set.rows.singleRows[row * 3 + field] = layout.singles[field]!.table.rowStart + id;
};
const setList = (set: TrainingSet, row: number, list: number, ids: readonly number[]) => {
  const { table, position, feature } = layout.lists[list]!;
  for (let i = 0; i < feature.maxLength; i++) {
    const at = row * layout.listWidth + position + i;
    set.rows.listRows[at] = i < ids.length ? table.rowStart + ids[i]! : 0;
    set.rows.listWeights[at] = i < ids.length ? 1 / ids.length : 0;
  }
};
const setNumber = (set: TrainingSet, row: number, index: number, value: number | null) => {
  set.rows.dense.set([value ?? 0, value === null ? 1 : 0], row * layout.denseWidth + 2 * index);
};
const converted = (set: TrainingSet, row: number) => set.click[row] === 1 && set.conversion[row]! > 0;

describe('the AUC of a feature alone', () => {
  it('is given for every feature in the order of the layout', () => {
    const found = aucsAlone(layout, syntheticRows(layout, 500), syntheticRows(layout, 500, { seed: 2 }));
    expect(found.map(({ feature }) => feature)).toEqual(['s0', 's1', 's2', 'l0', 'l1', 'n0', 'n1']);
  });

  it('is about 1/2 for features that know nothing, and moderate for honest ones', () => {
    const { n0, l0, s0 } = aucsOf(() => {});
    // Standard errors of .013 (clicks) and .02 (conversions).
    for (const auc of [n0!.click!, l0!.click!, n0!.conversion!, l0!.conversion!]) {
      expect(Math.abs(auc - 0.5)).toBeLessThan(0.08);
    }
    expect(s0!.click!).toBeGreaterThan(0.6);
    expect(s0!.click!).toBeLessThan(0.8);
  });

  it.each([
    ['an id', 's1', (set: TrainingSet, row: number) => setSingle(set, row, 1, set.click[row] === 1 ? 4 : 7)],
    [
      'a value that is missing where nothing was clicked',
      's2',
      (set: TrainingSet, row: number) => setSingle(set, row, 2, set.click[row] === 1 ? 1 + (row % 5) : 0),
    ],
    [
      'a value of a list, whatever its length',
      'l0',
      (set: TrainingSet, row: number) =>
        setList(set, row, 0, Array(1 + (row % 4)).fill(set.click[row] === 1 ? 5 : 6) as number[]),
    ],
    [
      'an empty list',
      'l1',
      (set: TrainingSet, row: number) => setList(set, row, 1, set.click[row] === 1 ? [] : [1 + (row % 8)]),
    ],
    [
      'a number, however its values are spread',
      'n0',
      (set: TrainingSet, row: number) => setNumber(set, row, 0, set.click[row]! * (1 + random.nextUniform())),
    ],
    [
      'a missing number',
      'n1',
      (set: TrainingSet, row: number) => setNumber(set, row, 1, set.click[row] === 1 ? row : null),
    ],
  ])('is 1 for %s that tells clicks, and for no other feature', (_title, feature, write) => {
    const found = aucsOf(write);
    for (const [name, aucs] of Object.entries(found)) {
      if (name === feature) expect(aucs.click, name).toBeGreaterThan(0.999);
      else expect(aucs.click, name).toBeLessThan(0.85);
    }
  });

  it('scores a value as if it had been seen twenty more times with the mean label', () => {
    // Of ten rows with id 1 eight are clicked, of a hundred with id 2 sixty-three, of all half: .6 and .608.
    const training = rowsWith(1, (set, row) => {
      const [id, first, clicks] = row < 10 ? [1, 0, 8] : row < 110 ? [2, 10, 63] : [3, 110, 929];
      setSingle(set, row, 1, id);
      set.click[row] = row - first < clicks ? 1 : 0;
    });
    const validation = rowsWith(2, (set, row) => {
      setSingle(set, row, 1, 1 + (row % 2));
      set.click[row] = 1 - (row % 2);
    });
    const found = aucsAlone(layout, training, validation).find(({ feature }) => feature === 's1')!;
    expect(found.aucs.click).toBe(0);
  });

  it('is measured for conversions on clicked rows only', () => {
    const { s1 } = aucsOf((set, row) => setSingle(set, row, 1, converted(set, row) ? 4 : 7));
    expect(s1!.conversion).toBe(1);
    expect(s1!.click).toBeLessThan(0.8);
  });

  it('of soft labels is a share of what the labels themselves reach: a copy has 1, half a copy less', () => {
    const soft = true;
    const { n0, n1 } = aucsOf((set, row) => {
      const y = set.click[row] === 1 ? set.conversion[row]! : 0;
      setNumber(set, row, 0, y);
      setNumber(set, row, 1, y + random.nextNormal());
    }, soft);
    expect(n0!.conversion).toBeGreaterThan(0.99);
    expect(n1!.conversion).toBeLessThan(0.75);
  });

  it('is fitted on training rows: an id that is new in every validation row tells nothing', () => {
    const wide = syntheticLayout({ singles: 1, lists: [], numerics: 0, buckets: 2 * ROWS });
    const own = (from: number, seed: number) => {
      const set = syntheticRows(wide, ROWS, { seed });
      for (let row = 0; row < ROWS; row++) set.rows.singleRows[row] = 1 + from + row;
      return set;
    };
    const [found] = aucsAlone(wide, own(0, 1), own(ROWS, 2));
    expect(found!.aucs).toEqual({ click: 0.5, conversion: 0.5 });
  });

  it('is null with fewer than 10 rows of a class, and leaves out unknown labels', () => {
    const write = (set: TrainingSet, row: number) => setSingle(set, row, 1, set.click[row] === 1 ? 4 : 7);
    const training = rowsWith(1, write);
    const clicked = [...training.click.keys()].filter((row) => training.click[row] === 1);
    const kept = (count: number): TrainingSet => {
      const few = new Set(clicked.slice(0, count));
      return {
        ...training,
        click: training.click.map((click, row) => (click === 1 && !few.has(row) ? UNKNOWN_CLICK : click)),
      };
    };
    const aucOf = (validation: TrainingSet) => aucsAlone(layout, training, validation)[1]!.aucs;
    expect(aucOf(kept(9)).click).toBeNull();
    expect(aucOf(kept(10)).click).toBe(1);
    const conversion = training.conversion.map((value, row) => (row % 2 === 0 ? Number.NaN : value));
    expect(aucOf({ ...training, conversion }).conversion).toBeCloseTo(0.5, 12);
  });

  it('takes known labels alone where more rows have one than are looked at', () => {
    const narrow = syntheticLayout({ singles: 1, lists: [], numerics: 0 });
    // So many known conversions, cut into 200,000 parts, would make 200,001 parts in floating point.
    const many = 262_151;
    const rowCount = many + 1;
    const set: TrainingSet = {
      rowCount,
      rows: { ...syntheticRows(narrow, 0).rows, singleRows: new Int32Array(rowCount) },
      click: new Uint8Array(rowCount).fill(1),
      conversion: new Float32Array(rowCount),
    };
    for (let row = 0; row < rowCount; row++) {
      set.conversion[row] = row % 2;
      set.rows.singleRows[row] = 1 + (row % 2);
    }
    set.conversion[0] = Number.NaN;
    const [found] = aucsAlone(narrow, set, set);
    expect(found!.aucs).toEqual({ click: null, conversion: 1 });
  });
});
