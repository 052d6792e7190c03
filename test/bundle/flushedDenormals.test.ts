import { expect, it } from 'vitest';
import { tableReader } from '../../lib/bundle/tableReader.ts';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { add } from '../../lib/onnx/ops.ts';
import { createSession } from '../../lib/onnx/session.ts';

it('copies a number beside a zero whole in a process that flushes denormals, as training does', async () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['B', 2]);
  graph.output('y', add(graph, x, x));
  const session = await createSession(graph.build(), { flushDenormals: true });
  // The flag holds for this thread from now on: 1e-310 is a denormal number.
  expect(Number.MIN_VALUE * 2).toBe(0);
  const rows = Float32Array.from([0, 0, -0.387, 0, 0.25, 0]);
  const table = { name: 'user', rowStart: 0, rowCount: 3, width: 2, elementType: 'F32', rows } as const;
  const ids = Int32Array.from({ length: 64 }, (_, row) => 1 + (row % 2));
  const expected = Float32Array.from({ length: 128 }, (_, at) => rows[ids[at >> 1]! * 2 + (at & 1)]!);
  const data = new Float32Array(128);
  const source = { ids, width: 1, position: 0 };
  const copy = tableReader(table, 0, 2).copier(source, { data, width: 2, at: 0 });
  // Which of V8's compilers made the loop decides: a thousand calls go through all of them.
  const wrong = Array.from({ length: 1000 }, () => {
    copy(64);
    return data.every((value, at) => value === expected[at]);
  }).filter((isRight) => !isRight);
  expect(wrong).toHaveLength(0);
  await session.release();
});
