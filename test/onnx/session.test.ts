import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../lib/onnx/graphBuilder.ts';
import { multiply } from '../../lib/onnx/ops.ts';
import {
  createSession,
  float32Data,
  float32Tensor,
  int64Tensor,
  scalarTensor,
} from '../../lib/onnx/session.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

function doubling(): Uint8Array {
  const graph = new GraphBuilder();
  const x = graph.input('x', ['B']);
  graph.output('y', multiply(graph, x, graph.scalar(2)));
  return graph.build();
}

describe('session', () => {
  it('runs batches of any length, an empty one too', async () => {
    const session = await createSession(doubling());
    for (const data of [Float32Array.of(1, 2, 3), Float32Array.of(-4), new Float32Array(0)]) {
      const results = await session.run({ x: float32Tensor(data, [data.length]) });
      expect(float32Data(results, 'y')).toEqual(data.map((x) => 2 * x));
    }
    await session.release();
  });

  it('leaves no device id or usage events behind', () => {
    const [model, home] = [join(folder, 'model.onnx'), join(folder, 'home')];
    mkdirSync(home);
    writeFileSync(model, doubling());
    const session = new URL('../../dist/lib/onnx/session.js', import.meta.url).href;
    const script = `const { createSession } = await import(${JSON.stringify(session)});
      await createSession((await import('node:fs')).readFileSync(${JSON.stringify(model)}));`;
    // Nothing else: on a build server, which says so by variables, ONNX Runtime writes nothing in any case.
    const env = { PATH: process.env.PATH, HOME: home };
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { env });
    expect(readdirSync(home)).toEqual([]);
  });

  it('writes into the memory the caller gives', async () => {
    const session = await createSession(doubling());
    const y = new Float32Array(2);
    await session.run({ x: float32Tensor(Float32Array.of(1, 2), [2]) }, { y: float32Tensor(y, [2]) });
    expect(y).toEqual(Float32Array.of(2, 4));
    await session.release();
  });

  it('keeps denormal numbers, so that scores do not depend on which worker loaded its model first', async () => {
    const session = await createSession(doubling());
    const results = await session.run({ x: float32Tensor(Float32Array.of(1e-40, 1), [2]) });
    expect(float32Data(results, 'y')).toEqual(Float32Array.of(Math.fround(1e-40) * 2, 2));
    await session.release();
  });

  it.each([
    ['no model', Buffer.from('not a model')],
    ['a cut file', doubling().subarray(0, 40)],
  ])('refuses %s with a code and the cause', async (_, bytes) => {
    const failure = await createSession(bytes).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'GRAPH_INVALID', name: 'Ncs4cvrError' });
    expect(failure).toHaveProperty('cause', expect.any(Error));
  });

  it('makes tensors of the types and shapes that graphs ask for', () => {
    expect(int64Tensor([3, -1])).toMatchObject({ type: 'int64', dims: [2], data: BigInt64Array.of(3n, -1n) });
    expect(scalarTensor(0.5)).toMatchObject({ type: 'float32', dims: [], data: Float32Array.of(0.5) });
    expect(() => float32Tensor(new Float32Array(3), [2, 2])).toThrow();
  });

  it('says which output is missing or no float32', () => {
    const outputs = { ids: int64Tensor([1]) };
    expect(() => float32Data(outputs, 'ids')).toThrow("GRAPH_OUTPUT_TYPE: output 'ids' can't be read");
    expect(() => float32Data(outputs, 'y')).toThrow('no such output');
  });
});
