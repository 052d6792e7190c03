import { describe, expect, it } from 'vitest';
import { allocateEncodedRows } from '../../lib/features/encodedRows.ts';
import { GraphBuilder, type Value } from '../../lib/onnx/graphBuilder.ts';
import { OwnScores } from '../../lib/ownModel/ownScores.ts';
import { syntheticLayout } from '../fixtures/syntheticModel.ts';

const layout = syntheticLayout({ singles: 1, lists: [], numerics: 1, buckets: 3 });
const [number] = layout.numerics;
const ROWS = 1500;
/** Of a thousand and a half rows the only one with a number above .9. */
const ODD_ROW = 777;

/** pctr is the number, changed by `change`; rows have numbers from 0 to .5, but one. */
async function check(change: (graph: GraphBuilder, x: Value) => Value, rowCount = ROWS): Promise<void> {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['B']);
  graph.output('pctr', graph.node('Sigmoid', [change(graph, x)], x));
  graph.output('pcvr', graph.node('Sigmoid', [x], x));
  const values = [{ feature: number!.name, as: 'number' }] as const;
  const inputs = [{ name: 'x', elementType: 'float32', isFlat: true, values }] as const;
  const model = { modelBytes: graph.build(), inputs, tables: [] };
  const rows = allocateEncodedRows(layout, ROWS);
  for (let row = 0; row < ROWS; row++) rows.dense[2 * row] = (row % 50) / 100;
  rows.dense[2 * ODD_ROW] = 2;
  const own = await OwnScores.create(model, layout, 'model.onnx');
  try {
    await own.refuseDependent(rows, rowCount, await own.of(rows, rowCount));
  } finally {
    await own.release();
  }
}

const node = (graph: GraphBuilder, type: string, ...inputs: Value[]) => graph.node(type, inputs, inputs[0]!);

describe('refuseDependent', () => {
  it('lets a model pass that looks at nothing but the row', async () => {
    await expect(check((graph, x) => node(graph, 'Mul', x, x))).resolves.toBeUndefined();
  });

  it('refuses what is the same in any order of the few rows that there are', async () => {
    const maximum = (graph: GraphBuilder, x: Value) => node(graph, 'Sub', x, node(graph, 'ReduceMax', x));
    await expect(check(maximum, 20)).rejects.toThrow('MODEL_ROWS_DEPENDENT');
  });

  it.each<[string, (graph: GraphBuilder, x: Value) => Value]>([
    ['is taken from all rows of the batch', (graph, x) => node(graph, 'Sub', x, node(graph, 'ReduceMax', x))],
    [
      'is taken from the row before',
      (graph, x) => node(graph, 'CumSum', x, graph.constant(Int32Array.of(0), [])),
    ],
    [
      'is taken from the batch for one row of 1,500 alone',
      (graph, x) => {
        const odd = node(graph, 'Relu', node(graph, 'Sub', x, graph.scalar(0.9)));
        return node(graph, 'Add', x, node(graph, 'Mul', odd, node(graph, 'ReduceMean', x)));
      },
    ],
  ])('refuses a score that %s', async (_, change) => {
    await expect(check(change)).rejects.toThrow(
      /^MODEL_ROWS_DEPENDENT: model\.onnx: the pctr of a row depends on the rows beside it/,
    );
  });
});
