import { describe, expect, it } from 'vitest';
import { TASKS, UNKNOWN_CLICK } from '../../lib/base/tasks.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { networkShape } from '../../lib/network/networkShape.ts';
import { clickedFirst, lossFeeds } from '../../lib/training/feeds.ts';
import { initialWeights } from '../../lib/training/modelWeights.ts';
import { CTCVR_LABELS, CTCVR_WEIGHTS, labelsInput, weightsInput } from '../../lib/training/tensorNames.ts';
import type { TrainingSet } from '../../lib/training/trainingSet.ts';
import { trainNetwork } from '../../lib/training/trainNetwork.ts';
import { settingsOf, syntheticLayout, syntheticRows } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ lists: [], numerics: 0 });
const shape = networkShape(
  networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [12, 6] }),
  layout,
);
const known = syntheticRows(layout, 400, { seed: 1 });
const validationSet = syntheticRows(layout, 300, { seed: 2 });
const rates = { click: 0.5, conversion: 0.3 };

/** Every third row twice: once with its own labels, and once more behind it with others. */
function withMore(
  set: TrainingSet,
  labels: { readonly click: number; readonly conversion: number },
): TrainingSet {
  const order = [...set.click.keys()].flatMap((row) => (row % 3 === 0 ? [row, -1 - row] : [row]));
  const width = layout.singles.length;
  const copyOf = (row: number) => (row < 0 ? -1 - row : row);
  const singleRows = Int32Array.from(
    order.flatMap((row) => [...set.rows.singleRows.subarray(copyOf(row) * width, (copyOf(row) + 1) * width)]),
  );
  return {
    rowCount: order.length,
    rows: { ...set.rows, rowCapacity: order.length, singleRows },
    click: Uint8Array.from(order, (row) => (row < 0 ? labels.click : set.click[row]!)),
    conversion: Float32Array.from(order, (row) => (row < 0 ? labels.conversion : set.conversion[row]!)),
  };
}

describe('a row with an unknown click', () => {
  it.each([
    ['joint', 'bce'],
    ['alternating', 'focal'],
  ])('trains nothing and measures nothing: the same bits as without it (%s steps)', async (steps, kind) => {
    const settings = settingsOf({
      epochs: 2,
      batchRows: 50,
      steps,
      losses: { click: { kind }, conversion: { kind } },
    });
    const initial = initialWeights(shape, settings, rates);
    const train = (trainingSet: TrainingSet, validation: TrainingSet) =>
      trainNetwork({ shape, settings, initial, trainingSet, validationSet: validation });
    const without = await train(known, validationSet);
    const unknown = { click: UNKNOWN_CLICK, conversion: 1 };
    const trained = await train(withMore(known, unknown), withMore(validationSet, unknown));
    expect(trained.weights).toEqual(without.weights);
    expect(trained.history.map(({ score, losses }) => ({ score, losses }))).toEqual(
      without.history.map(({ score, losses }) => ({ score, losses })),
    );
    const unclicked = await train(withMore(known, { click: 0, conversion: 0 }), validationSet);
    expect(unclicked.weights).not.toEqual(without.weights);
  });
});

describe('a clicked row with an unknown conversion', () => {
  const set: TrainingSet = {
    ...syntheticRows(layout, 6),
    click: Uint8Array.of(1, 0, 1, 1, 0, 1),
    conversion: Float32Array.of(Number.NaN, Number.NaN, 1, 0.25, 0, Number.NaN),
  };
  const numbers = (feeds: ReturnType<typeof lossFeeds>['feeds'], name: string) => [
    ...(feeds[name]!.data as Float32Array),
  ];

  it('is a click like any other, but no row of the conversion loss and of the product', () => {
    const batch = clickedFirst(set, Int32Array.of(0, 1, 2, 3, 4, 5));
    expect([...batch.indices]).toEqual([2, 3, 0, 1, 4, 5]);
    const { feeds, rows } = lossFeeds(batch, TASKS, settingsOf({ entireSpace: {} }));
    expect(rows).toEqual({ click: 6, conversion: 2 });
    expect(numbers(feeds, labelsInput('click'))).toEqual([1, 1, 1, 0, 0, 1]);
    expect(numbers(feeds, weightsInput('click'))).toEqual(Array(6).fill(Math.fround(1 / 6)));
    expect(numbers(feeds, labelsInput('conversion'))).toEqual([1, 0.25]);
    expect(numbers(feeds, weightsInput('conversion'))).toEqual([0.5, 0.5]);
    expect(numbers(feeds, CTCVR_LABELS)).toEqual([1, 0.25, 0, 0, 0, 0]);
    expect(numbers(feeds, CTCVR_WEIGHTS)).toEqual([0.25, 0.25, 0, 0.25, 0.25, 0]);
  });

  it('leaves every loss finite, also where no row of a batch has a conversion label', async () => {
    const settings = settingsOf({ batchRows: 20, entireSpace: {} });
    const initial = initialWeights(shape, settings, rates);
    const conversion = known.conversion.map((value, row) => (row % 40 === 0 ? value : Number.NaN));
    const { weights } = await trainNetwork({
      shape,
      settings,
      initial,
      trainingSet: { ...known, conversion },
      validationSet,
    });
    expect(weights.embeddings.every(Number.isFinite)).toBe(true);
  });
});
