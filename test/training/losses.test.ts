import { describe, expect, it } from 'vitest';
import { gradients } from '../../lib/onnx/gradients.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { createSession, float32Data, float32Tensor } from '../../lib/onnx/session.ts';
import { binaryCrossEntropy, focalLoss, type Loss, maskedSquaredError } from '../../lib/training/losses.ts';

interface LossResult {
  readonly loss: number;
  /** dLoss/ds per row. */
  readonly slopes: readonly number[];
}

async function run(
  loss: Loss,
  logits: readonly number[],
  labels: readonly number[],
  weights = logits.map(() => 1),
): Promise<LossResult> {
  const graph = new GraphBuilder();
  const s = graph.input('s', ['B', 1], { requiresGradient: true });
  const value = loss(graph, s, graph.input('y', ['B', 1]), graph.input('w', ['B', 1]));
  graph.output('loss', value);
  graph.output('slopes', gradients(graph, value, [s]).get(s)!);
  const session = await createSession(graph.build());
  const column = (data: readonly number[]) => float32Tensor(Float32Array.from(data), [data.length, 1]);
  const results = await session.run({ s: column(logits), y: column(labels), w: column(weights) });
  expect(results.loss!.dims).toEqual([]);
  await session.release();
  return { loss: float32Data(results, 'loss')[0]!, slopes: [...float32Data(results, 'slopes')] };
}

// The formulas of each loss in plain double precision, written apart from the code under test.
const sigmoid = (s: number) => 1 / (1 + Math.exp(-s));
/** log(sigmoid(s)) for any s. */
const logSigmoid = (s: number) => -Math.max(-s, 0) - Math.log1p(Math.exp(-Math.abs(s)));
type RowLoss = (s: number, y: number) => number;
const crossEntropyRow: RowLoss = (s, y) => -y * logSigmoid(s) - (1 - y) * logSigmoid(-s);
const squaredErrorRow: RowLoss = (s, y) => (sigmoid(s) - Math.min(Math.max(y, 0), 1)) ** 2;
const focalRow =
  (alpha: number, gamma: number): RowLoss =>
  (s, y) =>
    -y * alpha * sigmoid(-s) ** gamma * logSigmoid(s) -
    (1 - y) * (1 - alpha) * sigmoid(s) ** gamma * logSigmoid(-s);

const losses: readonly { name: string; loss: Loss; row: RowLoss }[] = [
  { name: 'binary cross-entropy', loss: binaryCrossEntropy, row: crossEntropyRow },
  { name: 'masked squared error', loss: maskedSquaredError, row: squaredErrorRow },
  ...[
    [0.75, 2],
    [0.25, 0.5],
    [0.5, 0],
    [1, 1],
  ].map(([alpha = 0, gamma = 0]) => ({
    name: `focal loss (${alpha}, ${gamma})`,
    loss: focalLoss({ alpha, gamma }),
    row: focalRow(alpha, gamma),
  })),
];

describe.each(losses)('$name', ({ loss, row }) => {
  const logits = [-9, -3, -1, -0.2, 0, 0.4, 1.5, 4, 8];
  const labels = [0, 0.3, 0.5, 0.9, 1];
  const points = logits.flatMap((s) => labels.map((y) => ({ s, y })));

  it('has the value and the slope of its formula, for hard and soft labels', async () => {
    const { loss: total, slopes } = await run(
      loss,
      points.map(({ s }) => s),
      points.map(({ y }) => y),
    );
    const expected = points.reduce((sum, { s, y }) => sum + row(s, y), 0);
    // float32 sums over 45 rows.
    expect(Math.abs(total - expected)).toBeLessThan(1e-6 * Math.max(1, expected) * 5);
    for (const [i, { s, y }] of points.entries()) {
      // Central difference in double precision; the float32 sigmoid errs by about 1e-7.
      const slope = (row(s + 1e-5, y) - row(s - 1e-5, y)) / 2e-5;
      expect(Math.abs(slopes[i]! - slope), `s = ${s}, y = ${y}`).toBeLessThan(2e-6);
    }
  });

  it.each([-50, 50])('stays exact and finite at a logit of %i', async (s) => {
    for (const y of [0, 1]) {
      const { loss: value, slopes } = await run(loss, [s], [y]);
      const slope = (row(s + 1e-4, y) - row(s - 1e-4, y)) / 2e-4;
      expect(Math.abs(value - row(s, y)), `loss, y = ${y}`).toBeLessThan(1e-5);
      expect(Math.abs(slopes[0]! - slope), `slope, y = ${y}`).toBeLessThan(1e-5);
    }
  });

  it('is the sum over the rows by weight, and rows of weight 0 count for nothing', async () => {
    const { loss: total, slopes } = await run(loss, [1, -2, 3], [1, 0, 0], [0.5, 0.25, 0]);
    const expected = 0.5 * row(1, 1) + 0.25 * row(-2, 0);
    expect(Math.abs(total - expected)).toBeLessThan(1e-6);
    expect(slopes[2]).toBe(0);
    const alone = await run(loss, [1], [1], [0.5]);
    expect(slopes[0]).toBe(alone.slopes[0]);
  });

  it('is 0 with gradient 0 when every weight is 0, and for no row at all', async () => {
    const { loss: total, slopes } = await run(loss, [1, -2], [1, 0], [0, 0]);
    expect(total).toBeCloseTo(0, 12);
    expect(slopes.map(Math.abs)).toEqual([0, 0]);
    expect(await run(loss, [], [])).toEqual({ loss: 0, slopes: [] });
  });
});

describe('fixed values', () => {
  // 5 digits are given by the method's oracle.
  it('focal loss (0.75, 2) at s = 0: .12997 and -.22372 for a positive row, .04332 and .07457 for a negative', async () => {
    const focal = focalLoss({ alpha: 0.75, gamma: 2 });
    const positive = await run(focal, [0], [1]);
    expect(positive.loss).toBeCloseTo(0.12997, 5);
    expect(positive.slopes[0]).toBeCloseTo(-0.22372, 5);
    const negative = await run(focal, [0], [0]);
    expect(negative.loss).toBeCloseTo(0.04332, 5);
    expect(negative.slopes[0]).toBeCloseTo(0.07457, 5);
  });

  it('cross-entropy at s = 0 is ln 2 with slope p - y', async () => {
    const { loss, slopes } = await run(binaryCrossEntropy, [0], [0.2]);
    expect(loss).toBeCloseTo(Math.LN2, 6);
    expect(slopes[0]).toBeCloseTo(0.3, 6);
  });

  it('squared error clips labels above 1', async () => {
    expect(await run(maskedSquaredError, [0.7], [1.3])).toEqual(await run(maskedSquaredError, [0.7], [1]));
  });
});
