import { describe, expect, it } from 'vitest';
import type { PerTask, Task } from '../../lib/base/tasks.ts';
import { buildPlainGraph } from '../../lib/bundle/buildPlainGraph.ts';
import { networkConfigSchema } from '../../lib/network/networkConfig.ts';
import { type ModelWeights, networkShape } from '../../lib/network/networkShape.ts';
import { layerSizes, type TaskMasks } from '../../lib/network/taskMasks.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';
import { copyWeights } from '../../lib/training/modelWeights.ts';
import type { TrainingSet } from '../../lib/training/trainingSet.ts';
import { TrainingStep } from '../../lib/training/trainingStep.ts';
import {
  settingsOf,
  syntheticLayout,
  syntheticMasks,
  syntheticRows,
  syntheticWeights,
} from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({});
const shape = networkShape(
  networkConfigSchema.parse({ kind: 'ncs', embeddingWidth: 4, hidden: [8, 6] }),
  layout,
);
const initial = syntheticWeights(shape);
const rows = syntheticRows(layout, 300);
/** Large, so that every gradient shows. */
const settings = settingsOf({ trunk: { learningRate: 0.01 } });

interface RunOptions {
  readonly masks?: TaskMasks;
  readonly training?: Parameters<typeof settingsOf>[0];
  /** Over those of the settings: no config may leave a task out. */
  readonly taskWeights?: Partial<PerTask<number>>;
  readonly batchRows?: number;
}

/** One pass over `set` in file order. */
async function pass(set: TrainingSet, { masks, training, taskWeights, batchRows = 50 }: RunOptions = {}) {
  const parsed = training === undefined ? settings : settingsOf(training);
  const used = { ...parsed, taskWeights: { ...parsed.taskWeights, ...taskWeights } };
  const step = await TrainingStep.create({ shape, settings: used, initial, masks });
  const losses = [];
  for (let start = 0; start < set.rowCount; start += batchRows) {
    const length = Math.min(batchRows, set.rowCount - start);
    losses.push(
      await step.run(
        set,
        Int32Array.from({ length }, (_, i) => start + i),
      ),
    );
  }
  const weights = copyWeights(step.weights);
  await step.release();
  return { weights, losses };
}

/** Rows with some clicks taken away and given conversions. */
function relabelled(change: {
  readonly click?: (row: number) => number;
  readonly conversion?: (row: number, clicked: boolean) => number;
}): TrainingSet {
  const click = rows.click.map((old, row) => change.click?.(row) ?? old);
  const conversion = rows.conversion.map((old, row) => change.conversion?.(row, click[row] === 1) ?? old);
  return { ...rows, click, conversion };
}

describe('masks', () => {
  it('keep the bits of dead connections in training; in the exported graph a connection is 0 for the task without it', async () => {
    const masks = syntheticMasks(shape, 0.4);
    const { weights } = await pass(rows, { masks });
    let dead = 0;
    let moved = 0;
    const model = buildPlainGraph(shape, weights, masks);
    layerSizes(shape).forEach((size, layer) => {
      const name = `trunk.${layer}.weight`;
      const before = initial.parameters.get(name)!;
      const after = weights.parameters.get(name)!;
      const click = constantOf(model, `click.${name}`);
      const conversion = constantOf(model, `conversion.${name}`);
      for (let i = 0; i < size; i++) {
        if (masks.click[layer]![i] === 0 && masks.conversion[layer]![i] === 0) {
          expect(after[i], `${name}[${i}]`).toBe(before[i]);
          dead++;
        } else if (after[i] !== before[i]) moved++;
        expect(click[i]).toBe(masks.click[layer]![i] === 0 ? 0 : after[i]);
        expect(conversion[i]).toBe(masks.conversion[layer]![i] === 0 ? 0 : after[i]);
      }
    });
    expect(dead).toBeGreaterThan(50);
    expect(moved).toBeGreaterThan(50);
  });

  it("leave a task's own embedding columns to it: the other task alone never moves their bits", async () => {
    const network = networkConfigSchema.parse({
      kind: 'ncs',
      embeddingWidth: 4,
      privateEmbeddingWidth: 1,
      hidden: [8, 6],
    });
    const own = networkShape(network, layout);
    const start = syntheticWeights(own);
    const movedColumns = async (task: Task) => {
      const step = await TrainingStep.create({
        shape: own,
        settings,
        initial: start,
        masks: syntheticMasks(own, 0.5),
        tasks: [task],
      });
      for (let i = 0; i < 3; i++) await step.run(rows, Int32Array.from(rows.click.keys()));
      const moved = new Set<number>();
      step.weights.embeddings.forEach((value, i) => {
        if (!Object.is(value, start.embeddings[i])) moved.add(i % own.embeddingWidth);
      });
      await step.release();
      return [...moved].sort();
    };
    expect(await movedColumns('click')).toEqual([0, 1, 2, 3]);
    expect(await movedColumns('conversion')).toEqual([1, 2, 3, 4]);
  });

  it('a connection that only the conversion task keeps gets nothing from the click loss, and the reverse', async () => {
    const masks = syntheticMasks(shape, 0.5);
    const clickOnly = await pass(rows, { masks, training: {}, taskWeights: { conversion: 0 } });
    const conversionOnly = await pass(rows, { masks, training: {}, taskWeights: { click: 0 } });
    let moved = 0;
    layerSizes(shape).forEach((size, layer) => {
      const name = `trunk.${layer}.weight`;
      const before = initial.parameters.get(name)!;
      for (let i = 0; i < size; i++) {
        for (const [task, { weights }] of [
          ['click', clickOnly],
          ['conversion', conversionOnly],
        ] as const) {
          const hasMoved = !Object.is(weights.parameters.get(name)![i], before[i]);
          if (masks[task][layer]![i] === 0) expect(hasMoved, `${task}, ${name}[${i}]`).toBe(false);
          else if (hasMoved) moved++;
        }
      }
    });
    expect(moved).toBeGreaterThan(100);
  });

  it('are refused before the run when a size or a value is wrong', async () => {
    const masks = syntheticMasks(shape, 0.5);
    const invalid = { code: 'MASKS_INVALID' };
    const cut = { ...masks, click: [masks.click[0]!, masks.click[1]!.subarray(1)] };
    await expect(pass(rows, { masks: cut })).rejects.toMatchObject(invalid);
    const twos = { ...masks, conversion: masks.conversion.map((mask) => mask.map((bit) => 2 * bit)) };
    await expect(pass(rows, { masks: twos })).rejects.toMatchObject(invalid);
  });
});

describe('the conversion loss', () => {
  it('reads clicked rows only: other conversions, NaN too, change no bit', async () => {
    const first = await pass(rows);
    for (const conversion of [0, 1, -7, Number.POSITIVE_INFINITY]) {
      const other = relabelled({
        conversion: (row, clicked) => (clicked ? rows.conversion[row]! : conversion),
      });
      expect(await pass(other)).toEqual(first);
    }
    expect(first.losses.every(({ conversion }) => Number.isFinite(conversion.mean))).toBe(true);
  });

  it('is the mean over the clicked rows, which are counted', async () => {
    const { losses } = await pass(rows, { batchRows: 300 });
    const clicked = rows.click.reduce((sum, click) => sum + click, 0);
    expect(losses[0]!.click.rows).toBe(300);
    expect(losses[0]!.conversion.rows).toBe(clicked);
    const only = [...rows.click.keys()].filter((row) => rows.click[row] === 1);
    const step = await TrainingStep.create({ shape, settings, initial });
    const alone = await step.run(rows, Int32Array.from(only));
    await step.release();
    expect(alone.conversion.mean).toBeCloseTo(losses[0]!.conversion.mean, 6);
    expect(alone.click.mean).not.toBeCloseTo(losses[0]!.click.mean, 3);
  });

  it('is 0 over 0 rows in a batch without a click, which trains the click task alone', async () => {
    const none = relabelled({ click: () => 0, conversion: () => Number.NaN });
    const { weights, losses } = await pass(none);
    for (const { conversion } of losses) expect(conversion).toEqual({ mean: 0, rows: 0 });
    for (const part of ['weight', 'bias']) {
      expect(weights.parameters.get(`conversion.head.${part}`)).toEqual(
        initial.parameters.get(`conversion.head.${part}`),
      );
      expect(weights.parameters.get(`click.head.${part}`)).not.toEqual(
        initial.parameters.get(`click.head.${part}`),
      );
    }
    const withoutTask = await pass(none, {
      training: { trunk: { learningRate: 0.01 } },
      taskWeights: { conversion: 0 },
    });
    expect(weights).toEqual(withoutTask.weights);
  });

  it('takes soft labels: 0.3 on every row trains the conversion to 0.3', async () => {
    const soft = relabelled({ click: () => 1, conversion: () => 0.3 });
    const step = await TrainingStep.create({ shape, settings, initial });
    const all = () => Int32Array.from({ length: soft.rowCount }, (_, row) => row);
    let loss = Number.NaN;
    for (let i = 0; i < 150; i++) loss = (await step.run(soft, all())).conversion.mean;
    await step.release();
    // The entropy of 0.3 is the smallest cross-entropy there is.
    expect(loss).toBeGreaterThan(0.6108 - 1e-4);
    expect(loss).toBeLessThan(0.6108 + 0.01);
  });

  it('counts only labels above 0 as maskedMse, as the paper does', async () => {
    const training = { losses: { conversion: { kind: 'maskedMse' } } };
    const { losses } = await pass(rows, { batchRows: 300, training });
    const positive = rows.conversion.filter((label, row) => rows.click[row] === 1 && label > 0).length;
    expect(losses[0]!.conversion.rows).toBe(positive);
    const zeros = relabelled({ conversion: () => 0 });
    const { losses: none, weights } = await pass(zeros, { training });
    for (const { conversion } of none) expect(conversion).toEqual({ mean: 0, rows: 0 });
    expect(weights.parameters.get('conversion.head.weight')).toEqual(
      initial.parameters.get('conversion.head.weight'),
    );
  });
});

it.each([
  ['without a click', 'bce', relabelled({ click: () => 0 })],
  ['whose conversions all are 0, as maskedMse takes them', 'maskedMse', relabelled({ conversion: () => 0 })],
])(
  'a batch %s is no step of the conversions alone: momentum moves nothing',
  async (_title, kind, unlearnt) => {
    const step = await TrainingStep.create({
      shape,
      settings: settingsOf({ losses: { conversion: { kind } } }),
      initial,
      tasks: ['conversion'],
    });
    const all = () => Int32Array.from(rows.click.keys());
    await step.run(rows, all());
    const before = structuredClone(step.state);
    expect(before.dense['conversion.head.weight']).not.toEqual(
      initial.parameters.get('conversion.head.weight'),
    );
    const losses = await step.run(unlearnt, all());
    expect(losses.conversion).toEqual({ mean: 0, rows: 0 });
    expect(step.state).toEqual(before);
    await step.release();
  },
);

it("a factor on the trunk's learning rate is one on Adam's step, and leaves the embeddings' alone", async () => {
  const typicalMove = (before: Float32Array, after: Float32Array) => {
    const moves = before.map((value, i) => Math.abs(after[i]! - value)).filter((move) => move > 1e-6);
    return moves.sort()[Math.floor(moves.length / 2)];
  };
  const head = 'click.head.weight';
  for (const factor of [1, 0.25]) {
    const step = await TrainingStep.create({ shape, settings, initial });
    await step.run(rows, Int32Array.from(rows.click.keys()), factor);
    const { embeddings, parameters } = step.weights;
    // A first step has the size of its learning rate, whatever the gradient's.
    expect(typicalMove(initial.parameters.get(head)!, parameters.get(head)!)).toBeCloseTo(factor * 0.01, 4);
    expect(typicalMove(initial.embeddings, embeddings)).toBeCloseTo(0.01, 4);
    await step.release();
  }
});

describe('the embeddings', () => {
  it('that no row of the batch uses keep their bits', async () => {
    const { weights } = await pass({ ...rows, rowCount: 1 }, { batchRows: 1 });
    const used = new Set([
      ...rows.rows.singleRows.subarray(0, layout.singles.length),
      ...rows.rows.listRows.subarray(0, layout.listWidth).filter((_, i) => rows.rows.listWeights[i]! > 0),
    ]);
    for (let row = 0; row < layout.embeddingRowCount; row++) {
      const part = (from: ModelWeights) => from.embeddings.subarray(4 * row, 4 * row + 4);
      if (used.has(row)) expect(part(weights)).not.toEqual(part(initial));
      else expect(part(weights)).toEqual(part(initial));
    }
  });

  it.each(['adagrad', 'adam'])(
    'when reset are new, forget the state of %s, and leave the other parameters alone',
    async (optimiser) => {
      const training = { embeddings: { optimiser, learningRate: 0.05 } };
      const step = await TrainingStep.create({ shape, settings: settingsOf(training), initial });
      const all = () => Int32Array.from({ length: rows.rowCount }, (_, row) => row);
      for (let i = 0; i < 10; i++) await step.run(rows, all());
      const before = copyWeights(step.weights);
      step.resetEmbeddings((embeddings) => embeddings.fill(0.25));
      expect(step.weights.parameters).toEqual(before.parameters);
      expect(new Set(step.weights.embeddings)).toEqual(new Set([0.25]));
      await step.run(rows, all());
      // A first step of either optimiser is the learning rate, whatever the gradient's size; one after ten is not.
      const changes = step.weights.embeddings.map((value) => Math.abs(value - 0.25));
      const moved = changes.filter((change) => change > 1e-4);
      expect(moved.length).toBeGreaterThan(50);
      for (const change of moved) expect(change).toBeCloseTo(0.05, 3);
      await step.release();
    },
  );
});

function constantOf(model: Uint8Array, name: string): Float32Array {
  const tensor = decodeModel(model).graph.initializer.find((one) => one.name === name)!;
  return new Float32Array(tensor.rawData.slice().buffer);
}
