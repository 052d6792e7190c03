import { describe, expect, it } from 'vitest';
import { type ExternalData, inlineTensors } from '../../lib/onnx/inlineTensors.ts';
import { decodeModel } from '../../lib/onnx/modelProto.ts';

const varint = (field: number, value: number) => [field << 3, value];
const bytes = (field: number, value: readonly number[]) => {
  const length = value.length < 128 ? [value.length] : [(value.length & 127) | 128, value.length >> 7];
  return [(field << 3) | 2, ...length, ...value];
};
const text = (field: number, value: string) => bytes(field, [...Buffer.from(value)]);
const entry = (key: string, value: string) => bytes(13, [...text(1, key), ...text(2, value)]);
/** A field of 64 bits that no schema here knows, number 31. */
const unknown = [(31 << 3) | 1, 0x01, 1, 2, 3, 4, 5, 6, 7, 8];

const near = bytes(5, [...varint(1, 1), ...varint(2, 2), ...text(8, 'near'), ...bytes(9, [7])]);
const farFields = [...varint(1, 3), ...varint(2, 2), ...text(8, 'far')];
const rest = bytes(5, [...varint(1, 2), ...varint(2, 2), ...text(8, 'rest')]);
const model = (tensors: readonly number[]) =>
  Uint8Array.from([...varint(1, 8), ...bytes(7, [...tensors, ...unknown, ...text(2, 'graph')]), ...unknown]);

describe('tensors in other files', () => {
  it('are put where they belong, and every other byte stays as it is', async () => {
    const outside = [...entry('location', 'a.data'), ...entry('offset', '4'), ...entry('length', '3')];
    const toEnd = bytes(5, [
      ...varint(14, 1),
      ...text(8, 'open'),
      ...entry('location', 'b.data'),
      ...entry('checksum', 'of no interest'),
    ]);
    const asked: ExternalData[] = [];
    const found = await inlineTensors(
      model([...near, ...bytes(5, [...farFields, ...outside, ...varint(14, 1)]), ...toEnd, ...rest]),
      async (data) => {
        asked.push(data);
        return Uint8Array.of(1, 2, 3);
      },
      'model.onnx',
    );
    expect(asked).toEqual([
      { name: 'far', location: 'a.data', startByte: 4, sizeBytes: 3 },
      { name: 'open', location: 'b.data', startByte: 0, sizeBytes: undefined },
    ]);
    const inside = bytes(5, [...farFields, ...bytes(9, [1, 2, 3])]);
    const open = bytes(5, [...text(8, 'open'), ...bytes(9, [1, 2, 3])]);
    expect([...found]).toEqual([...model([...near, ...inside, ...open, ...rest])]);
    expect(decodeModel(found).graph.initializer.map(({ dataLocation }) => dataLocation)).toEqual([
      0, 0, 0, 0,
    ]);
  });

  it('are not even read where they are larger than one file can be', async () => {
    const large = [...entry('location', 'a.data'), ...entry('length', String(2 ** 31)), ...varint(14, 1)];
    const read = inlineTensors(
      model(bytes(5, [...farFields, ...large])),
      () => {
        throw new Error('it was read');
      },
      'model.onnx',
    );
    await expect(read).rejects.toThrow(/^GRAPH_TOO_LARGE: model\.onnx: .*found 2147483\d+ bytes/);
  });

  it.each(['many', '-5'])('of a size that is none (%s) are for the reader to refuse', async (length) => {
    const odd = [...entry('location', 'a.data'), ...entry('length', length), ...varint(14, 1)];
    const read = inlineTensors(
      model(bytes(5, [...farFields, ...odd])),
      async ({ name, sizeBytes }) => {
        throw new Error(`${name} of ${sizeBytes} bytes`);
      },
      'model.onnx',
    );
    await expect(read).rejects.toThrow(`far of ${Number(length)} bytes`);
  });
});
