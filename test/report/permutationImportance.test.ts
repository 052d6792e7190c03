import { beforeAll, expect, it } from 'vitest';
import type { ChangeRows } from '../../lib/bundle/scoreEncodedRows.ts';
import { allocateEncodedRows, copyEncodedRows, type EncodedRows } from '../../lib/features/encodedRows.ts';
import { type LabelledSample, labelledSample, type SampleScorer } from '../../lib/report/labelledSample.ts';
import { permutationImportance } from '../../lib/report/permutationImportance.ts';
import type { TinyModel } from '../fixtures/tinyModel.ts';
import { trainReportedModel } from './reportScene.ts';

const ROWS = 60;
let trained: TinyModel;
let sample: LabelledSample;

beforeAll(async () => {
  trained = await trainReportedModel();
  sample = await labelledSample(trained.bundle, `${trained.dataUri}/dt=2024-03-03`, ROWS);
}, 120_000);

/** All that encoded rows have of each feature, row by row. */
function valuesOf({ singleRows, listRows, listWeights, dense }: EncodedRows): Map<string, string[]> {
  const { singles, lists, numerics, listWidth, denseWidth } = trained.bundle.layout;
  const ofRows = (ofRow: (row: number) => unknown) =>
    Array.from({ length: ROWS }, (_, row) => JSON.stringify(ofRow(row)));
  return new Map([
    ...singles.map(({ name }, place): [string, string[]] => [
      name,
      ofRows((row) => singleRows[row * singles.length + place]),
    ]),
    ...lists.map(({ name, position, feature }): [string, string[]] => [
      name,
      ofRows((row) => {
        const start = row * listWidth + position;
        return [listRows, listWeights].map((each) => [...each.subarray(start, start + feature.maxLength)]);
      }),
    ]),
    ...numerics.map(({ name }, place): [string, string[]] => [
      name,
      ofRows((row) => [dense[row * denseWidth + 2 * place], dense[row * denseWidth + 2 * place + 1]]),
    ]),
  ]);
}

it('a deal gives each row all that another has of one feature, each row its own turn, and leaves the others as they are', async () => {
  const { layout } = trained.bundle;
  const dealt: EncodedRows[] = [];
  const scores = { pctr: new Float32Array(ROWS).fill(0.5), pcvr: new Float32Array(ROWS).fill(0.5) };
  const score = (change: ChangeRows) => {
    const rows = allocateEncodedRows(layout, ROWS);
    // In two batches, as scoring may take them.
    const half = ROWS / 2;
    const batch = allocateEncodedRows(layout, half);
    for (const at of [0, half]) {
      copyEncodedRows(layout, sample.rows, at, at + half, batch);
      change(batch, at, half);
      for (const key of ['singleRows', 'listRows', 'listWeights', 'dense'] as const) {
        rows[key].set(batch[key], (at / half) * batch[key].length);
      }
    }
    dealt.push(rows);
    return Promise.resolve(scores);
  };
  const scorer = { score } as unknown as SampleScorer;
  const importance = await permutationImportance(scorer, sample, scores, layout, { repeats: 2, seed: 1 });
  const before = valuesOf(sample.rows);
  const names = [...before.keys()];
  expect(importance.map(({ feature }) => feature).toSorted()).toEqual(names.toSorted());
  expect(dealt).toHaveLength(2 * names.length);
  for (const [turn, rows] of dealt.entries()) {
    const dealtName = names[turn >> 1]!;
    for (const [name, values] of valuesOf(rows)) {
      const own = before.get(name)!;
      if (name !== dealtName) expect(values, name).toEqual(own);
      else {
        expect(values.toSorted(), name).toEqual(own.toSorted());
        expect(values, name).not.toEqual(own);
      }
    }
  }
  // Lists of several lengths and numbers that are missing are among them: a part of a value can't pass for all of it.
  expect(new Set(sample.rows.listWeights).size).toBeGreaterThan(2);
});
