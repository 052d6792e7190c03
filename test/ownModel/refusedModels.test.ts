import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { GraphBuilder, Value } from '../../lib/onnx/graphBuilder.ts';
import { decodeModel, encodeModel, valueInfoOf } from '../../lib/onnx/modelProto.ts';
import type { GraphProto } from '../../lib/onnx/onnxSchema.ts';
import { multiply, reduceSum, sigmoid, subtract } from '../../lib/onnx/ops.ts';
import { withExternalData } from '../fixtures/externalData.ts';
import { type OwnModelOptions, ownModel } from '../fixtures/ownModel.ts';
import { ownBundles } from './ownBundles.ts';

const { folder, layoutOf, bundled } = ownBundles();

const FAR_TENSOR = { name: 'far', dims: [1], dataType: 1, rawData: new Uint8Array(), dataLocation: 1 };

describe('a file that can not be scored with', () => {
  const changed = (change: (graph: GraphProto) => Partial<GraphProto>) => () => {
    const model = decodeModel(ownModel(layoutOf()).bytes);
    return encodeModel({ ...model, graph: { ...model.graph, ...change(model.graph) } });
  };
  const custom = (scores: (graph: GraphBuilder, logits: Value) => Value) => () =>
    ownModel(layoutOf(), { scores }).bytes;
  const outside = (location: string) => () =>
    withExternalData(ownModel(layoutOf()).bytes, (name) => (name === 'weight' ? location : undefined)).model;
  const like = (options: OwnModelOptions) => () => ownModel(layoutOf(), options).bytes;
  const random = (graph: GraphBuilder, logits: Value) => graph.node('RandomUniformLike', [logits], logits);
  const meanOf = (graph: GraphBuilder, logits: Value) =>
    multiply(graph, reduceSum(graph, logits, [0]), graph.scalar(1 / 512));

  it.each<[string, () => Uint8Array, RegExp]>([
    ['no ONNX at all', () => Buffer.from('not a model'), /^GRAPH_UNREADABLE: .*\.onnx: not an ONNX model/],
    [
      'an input that the contract has no feature for',
      like({ nameOf: (feature) => (feature === 'device' ? 'devices' : feature) }),
      /^MODEL_INTERFACE: [\s\S]*- input devices: no feature of that name \(did you mean 'device'\?\); the config's inputs may say/,
    ],
    [
      'a batch of another size',
      like({ batch: 100 }),
      /- input user_id: expected int64 or int32 \[B\] or \[B, 1\] with a dynamic B, found int64 \[100\]/,
    ],
    [
      'a list of another length',
      changed(({ input }) => ({
        input: input.map((each) =>
          each.name === 'tags' ? valueInfoOf({ name: 'tags', elementType: 'int64', shape: ['N', 3] }) : each,
        ),
      })),
      /- input tags: expected int64 or int32 \[B, 4\] with a dynamic B, found int64 \[N, 3\]/,
    ],
    [
      'other outputs',
      like({ outputs: ['ctr', 'pcvr'] }),
      /- output pctr: expected float32 \[B\] or \[B, 1\], found 'ctr', 'pcvr'/,
    ],
    [
      'an operator of its own',
      changed(({ node }) => ({
        node: node.map((each, at) => (at === 0 ? { ...each, domain: 'mine' } : each)),
      })),
      /- operator mine\.Gather: not a standard ONNX operator/,
    ],
    [
      'an operator that ONNX Runtime lacks',
      custom((g, x) => g.node('Guess', [x], x)),
      /^GRAPH_INVALID: .*\.onnx: .*Guess/,
    ],
    [
      'operators of a version to come',
      () => {
        const model = decodeModel(ownModel(layoutOf()).bytes);
        return encodeModel({ ...model, opsetImport: [{ domain: '', version: 99 }] });
      },
      /^GRAPH_INVALID: .*\.onnx: the model can't be used .*[Oo]pset/,
    ],
    ['an operator that draws', custom(random), /- operator RandomUniformLike: other results in every run/],
    ['weights in a file that is not there', outside('gone.data'), /^STORAGE_NOT_FOUND: .*gone\.data/],
    [
      'weights in a file of another folder',
      outside('../secrets.data'),
      /^MODEL_INTERFACE: [\s\S]*- tensor weight: its data lies in '\.\.\/secrets\.data', which is no path below the model's folder/,
    ],
    [
      'weights in a file of the whole machine',
      outside('/etc/passwd'),
      /- tensor weight: its data lies in '\/etc\/passwd', which is no path/,
    ],
    [
      'weights beyond the end of their file',
      () => {
        writeFileSync(join(folder, 'short.data'), new Uint8Array(8));
        return outside('short.data')();
      },
      /^GRAPH_UNREADABLE: .*short\.data: a tensor's data isn't in its file \(expected tensor weight at bytes 0 to 152, found 8 bytes\)/,
    ],
    [
      'weights of an attribute in another file',
      changed(({ node }) => ({
        node: node.map((each, at) =>
          at === 0 ? { ...each, attribute: [{ name: 'far', type: 4, t: FAR_TENSOR }] } : each,
        ),
      })),
      /- tensor far: its data lies in another file/,
    ],
    [
      'trees',
      changed(({ node }) => ({
        node: node.map((each, at) => (at === 0 ? { ...each, domain: 'ai.onnx.ml' } : each)),
      })),
      /- operator ai\.onnx\.ml\.Gather: not a standard ONNX operator \(trees and the like are not run here: convert the model/,
    ],
    [
      'a table that lacks the last id, which no row has',
      like({ shortTable: 'device' }),
      /^MODEL_RUN_FAILED: .*the model can't score rows that the contract allows .*indices element out of data bounds/,
    ],
    [
      'logits for probabilities',
      custom((_, logits) => logits),
      /^MODEL_SCORES_INVALID: .*the model's output 'pc[tv]r' is no probability \(expected 512 float32 from 0 to 1, found -?\d/,
    ],
    [
      'a norm over the batch',
      custom((graph, logits) => sigmoid(graph, subtract(graph, logits, meanOf(graph, logits)))),
      /^MODEL_ROWS_DEPENDENT: .*the pctr of a row depends on the rows beside it/,
    ],
  ])('is refused, and nothing is written: %s', async (name, bytes, message) => {
    await expect(bundled(name, bytes())).rejects.toThrow(message);
    const output = join(folder, name);
    expect(existsSync(output) ? readdirSync(output) : []).toEqual([]);
  });

  it('names ids and numbers that a config puts beside each other, and inputs that the model has not', async () => {
    const config = { inputs: { age: ['age', 'user_id'], userid: ['user_id'] } };
    await expect(bundled('mixed', ownModel(layoutOf()).bytes, config)).rejects.toThrow(
      /- input age: ids and numbers beside each other[\s\S]*- inputs\.userid: the model has no such input \(did you mean 'user_id'\?\)/,
    );
  });

  it('is refused where a bundle is', async () => {
    const { bytes } = ownModel(layoutOf());
    await bundled('twice', bytes);
    await expect(bundled('twice', bytes)).rejects.toThrow('BUNDLE_EXISTS');
  });
});
