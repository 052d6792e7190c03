import { expect, it } from 'vitest';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { multiply } from '../../lib/onnx/ops.ts';
import { createSession, float32Data, float32Tensor } from '../../lib/onnx/session.ts';

// A file of its own, hence a process of its own: ONNX Runtime obeys the first session of a process only.
it('treats denormal numbers as 0 in the session and in JavaScript when flushDenormals is asked for first', async () => {
  const denormal = Float64Array.of(1e-310);
  expect(denormal[0]! * 2 > 0).toBe(true);
  const graph = new GraphBuilder();
  graph.output('y', multiply(graph, graph.input('x', ['B']), graph.scalar(2)));
  const session = await createSession(graph.build(), { flushDenormals: true });
  const feeds = { x: float32Tensor(Float32Array.of(1e-40, 1), [2]) };
  expect(float32Data(await session.run(feeds), 'y')).toEqual(Float32Array.of(0, 2));
  expect(denormal[0]! * 2 > 0).toBe(false);
  const later = await createSession(graph.build());
  expect(float32Data(await later.run(feeds), 'y')).toEqual(Float32Array.of(0, 2));
  await Promise.all([session.release(), later.release()]);
});
