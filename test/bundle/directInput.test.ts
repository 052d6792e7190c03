import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DirectFeed, type DirectInput, directProblems } from '../../lib/bundle/directInput.ts';
import { ScoringSession } from '../../lib/bundle/scoringSession.ts';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { syntheticLayout, syntheticRows } from '../fixtures/syntheticModel.ts';

const synthetic = syntheticLayout({ singles: 2, lists: [3, 2], numerics: 2, buckets: 9 });
/** The second list has ids in a table that isn't the first one of the joint matrix. */
const layout = {
  ...synthetic,
  lists: synthetic.lists.map((each, at) =>
    at === 0 ? each : { ...each, table: { ...each.table, rowStart: 100 } },
  ),
};
const [first, second] = layout.singles;
const [, list] = layout.lists;
const number = layout.numerics[1]!;

function input(values: DirectInput['values'], more: Partial<DirectInput> = {}): DirectInput {
  return { name: 'x', elementType: 'int64', isFlat: false, values, ...more };
}

describe('DirectFeed', () => {
  const { rows } = syntheticRows(layout, 4, { seed: 3 });

  it.each(['int32', 'int64'] as const)(
    'gives ids of single values and lists beside each other as %s',
    (elementType) => {
      const values = [
        { feature: second!.name, as: 'id' },
        { feature: list!.name, as: 'id' },
        { feature: first!.name, as: 'row' },
        { feature: list!.name, as: 'row' },
      ] as const;
      const feed = new DirectFeed(input(values, { elementType }), layout, rows);
      feed.gather(4);
      const expected = [0, 1, 2, 3].flatMap((row) => [
        rows.singleRows[row * 2 + 1]! - second!.table.rowStart,
        ...[0, 1].map((at) => {
          const place = row * layout.listWidth + list!.position + at;
          return rows.listWeights[place]! > 0 ? rows.listRows[place]! - list!.table.rowStart : 0;
        }),
        rows.singleRows[row * 2]!,
        ...[0, 1].map((at) => rows.listRows[row * layout.listWidth + list!.position + at]!),
      ]);
      expect([...feed.data].map(Number)).toEqual(expected);
      expect(feed.dims).toEqual([4, 6]);
      expect(expected.filter((id) => id > 0).length).toBeGreaterThan(8);
    },
  );

  it('gives numbers, flags and weights as float32, and zeros behind the last row', () => {
    const values = [
      { feature: number.name, as: 'missing' },
      { feature: list!.name, as: 'weight' },
      { feature: number.name, as: 'number' },
    ] as const;
    const feed = new DirectFeed(input(values, { elementType: 'float32' }), layout, rows);
    feed.gather(4);
    feed.gather(2);
    const weights = (row: number) => {
      const from = row * layout.listWidth + list!.position;
      return [...rows.listWeights.subarray(from, from + 2)];
    };
    const dense = (row: number, column: number) => rows.dense[row * layout.denseWidth + column]!;
    expect([...feed.data]).toEqual([
      ...[0, 1].flatMap((row) => [dense(row, 3), ...weights(row), dense(row, 2)]),
      ...new Array(8).fill(0),
    ]);
  });
});

describe('directProblems', () => {
  it('names features that are not there or of another kind, types that do not fit, and tensors that are too flat', () => {
    const values = [
      { feature: 'nobody', as: 'id' },
      { feature: number.name, as: 'id' },
      { feature: number.name, as: 'number' },
      { feature: first!.name, as: 'id' },
    ] as const;
    expect(directProblems(input(values, { isFlat: true }), layout)).toEqual([
      "no feature 'nobody' with a value of kind 'id'",
      `no feature '${number.name}' with a value of kind 'id'`,
      `the number of '${number.name}' as int64`,
      '2 columns for a tensor of one',
    ]);
    expect(directProblems(input([{ feature: first!.name, as: 'id' }], { isFlat: true }), layout)).toEqual([]);
  });
});

describe('the session of an own model', () => {
  let session: ScoringSession;
  beforeAll(async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', ['B'], {});
    graph.output('pctr', graph.node('Identity', [x], x));
    graph.output('pcvr', graph.node('Sqrt', [x], x));
    const inputs = [
      input([{ feature: number.name, as: 'number' }], { elementType: 'float32', isFlat: true }),
    ];
    session = await ScoringSession.create({ modelBytes: graph.build(), inputs, tables: [] }, layout);
  });
  afterAll(() => session.release());

  /** Scores rows with these numbers. */
  const score = (...numbers: number[]) => {
    const rows = allocateEncodedRows(layout, numbers.length);
    for (const [row, value] of numbers.entries()) rows.dense[row * layout.denseWidth + 2] = value;
    session.rows.dense.set(rows.dense);
    return session.score(numbers.length);
  };

  it('looks at no score of the padding, which is none of a row', async () => {
    const graph = new GraphBuilder();
    const x = graph.input('x', ['B']);
    for (const name of ['pctr', 'pcvr']) graph.output(name, graph.node('Div', [x, x], x));
    const inputs = [
      input([{ feature: number.name, as: 'number' }], { elementType: 'float32', isFlat: true }),
    ];
    const own = await ScoringSession.create({ modelBytes: graph.build(), inputs, tables: [] }, layout);
    own.rows.dense[2] = 0.5;
    expect([...(await own.score(1)).pctr]).toEqual([1]);
    await expect(own.score(2)).rejects.toThrow("output 'pctr' is no probability");
    await own.release();
  });

  it('multiplies both scores in float32', async () => {
    const { pctr, pcvr, pctcvr } = await score(0.25, 1, 0.3, 0);
    expect([...pctcvr]).toEqual([...pctr].map((p, row) => Math.fround(p * pcvr[row]!)));
    expect([...pctcvr.subarray(0, 2)]).toEqual([0.125, 1]);
  });

  it.each([
    ['above 1', 1.0000001, /output 'pctr' .*found 1\.0000001/],
    ['below 0', -0.1, /output 'pctr'/],
    ['no number', Number.NaN, /output 'pctr' .*found NaN/],
  ])(
    'throws for a score %s in any row, and not for what stood behind the last one',
    async (_, bad, message) => {
      await expect(score(0.5, 0.5, bad)).rejects.toThrow(message);
      await expect(score(0.5, bad)).rejects.toThrow('METRIC_SCORE_INVALID');
      expect((await score(0.5)).pctr).toHaveLength(1);
    },
  );
});
