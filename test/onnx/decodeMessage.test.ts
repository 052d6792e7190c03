import protobuf from 'protobufjs/light.js';
import { describe, expect, it } from 'vitest';
import { decodeMessage, messageType } from '../../lib/onnx/decodeMessage.ts';

const schema = {
  nested: {
    test: {
      edition: 'proto3',
      nested: {
        Outer: {
          oneofs: { choice: { oneof: ['number', 'text'] } },
          fields: {
            number: { type: 'int64', id: 1 },
            text: { type: 'string', id: 2 },
            small: { type: 'int32', id: 3 },
            wide: { type: 'int64', id: 4 },
            real: { type: 'float', id: 5 },
            label: { type: 'string', id: 6 },
            blob: { type: 'bytes', id: 7 },
            inner: { type: 'Outer', id: 8 },
            numbers: { rule: 'repeated', type: 'int64', id: 16 },
            reals: { rule: 'repeated', type: 'float', id: 17 },
            labels: { rule: 'repeated', type: 'string', id: 18 },
            inners: { rule: 'repeated', type: 'Outer', id: 19 },
          },
        },
      },
    },
  },
};
const peer = protobuf.Root.fromJSON(schema).lookupType('test.Outer');
const type = messageType(schema, 'test', 'Outer');
const decode = (...bytes: number[]) => decodeMessage(Uint8Array.from(bytes), type);
const DEFAULTS = {
  ...{ small: 0, wide: 0, real: 0, label: '', blob: new Uint8Array(0), inner: null },
  ...{ numbers: [], reals: [], labels: [], inners: [] },
};

describe('a message', () => {
  it('of no bytes has the default of every field that is none of several', () => {
    expect(decode()).toEqual(DEFAULTS);
  });

  it.each([
    ['zero', 0],
    ['the largest of one byte', 127],
    ['the smallest of two bytes', 128],
    ['the largest of seven bytes', 2 ** 49 - 1],
    ['the smallest of eight bytes', 2 ** 49],
    ['the largest exact one', Number.MAX_SAFE_INTEGER],
    ['one that float64 rounds', 2 ** 62 + 2 ** 9],
    ['a negative one', -1],
    ['the least exact one', Number.MIN_SAFE_INTEGER],
    ['the least of all', -(2 ** 63)],
  ])('holds the number that was written: %s', (_, value) => {
    const bytes = peer.encode({ wide: value, numbers: [value, 1], small: value | 0 }).finish();
    expect(decodeMessage(bytes, type)).toEqual({
      ...DEFAULTS,
      ...{ wide: value, numbers: [value, 1], small: value | 0 },
    });
  });

  it('is read as protobufjs reads it, messages within it included', () => {
    const inner = { label: 'Ünïcode \u{1f600}', blob: Buffer.from([0, 255]), real: -0.5, text: '' };
    const outer = {
      number: 0,
      inner,
      inners: [inner, {}, { inner }],
      reals: [1, 1e30],
      labels: ['', 'b'],
      small: -7,
    };
    const bytes = peer.encode(peer.fromObject(outer)).finish();
    const expected = peer.toObject(peer.decode(bytes), { longs: Number, defaults: true });
    expect(normalised(decodeMessage(bytes, type))).toEqual(normalised(expected));
  });

  it('is merged where it comes twice, of a single number the last one counts', () => {
    const bytes = [
      peer.encode({ small: 1, inner: { small: 1, labels: ['a'] } }).finish(),
      peer.encode({ small: 2, inner: { label: 'b', labels: ['c'] } }).finish(),
    ].flatMap((each) => [...each]);
    const inner = { ...DEFAULTS, small: 1, label: 'b', labels: ['a', 'c'] };
    expect(decode(...bytes)).toEqual({ ...DEFAULTS, small: 2, inner });
  });

  it('may hold repeated numbers one by one', () => {
    expect(decode(0x80, 1, 5, 0x80, 1, 6)).toMatchObject({ numbers: [5, 6] });
  });

  it('is read without what has another type, or no name', () => {
    // small as text, label as a number, field 30 in every wire type.
    const unknown = [
      ...[0xf0, 1, 128, 1],
      ...[0xf1, 1, 1, 2, 3, 4, 5, 6, 7, 8],
      ...[0xf2, 1, 1, 9],
      ...[0xf5, 1, 1, 2, 3, 4],
    ];
    expect(decode(0x1a, 1, 65, 0x30, 7, ...unknown, 0x20, 3)).toEqual({ ...DEFAULTS, wide: 3 });
  });

  it.each([
    ['a number without an end', [0x20, 128]],
    ['a number of eleven bytes', [0x20, ...Array(10).fill(128), 1]],
    ['text that is cut', [0x32, 2, 65]],
    ['text of more bytes than there can be', [0x32, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]],
    ['a number behind the end of its message', [0x42, 1, 0x20, 5]],
    ['a float that is cut', [0x2d, 0, 0]],
    ['packed numbers that end within one', [0x82, 1, 1, 128, 1]],
    ['a group', [0x23]],
    ['a field without a number', [0x00, 0x00]],
  ])('is refused with %s', (_, bytes) => {
    expect(() => decode(...bytes)).toThrow(Error);
  });

  it('is refused where messages are nested more than a hundred deep', () => {
    const nested = (depth: number) => {
      let bytes: number[] = [];
      for (let i = 0; i < depth; i++) bytes = [0x42, ...lengthOf(bytes), ...bytes];
      return bytes;
    };
    expect(() => decode(...nested(100))).not.toThrow();
    expect(() => decode(...nested(101))).toThrow('nested');
  });

  it('that is cut anywhere is refused or read, and ends', () => {
    const whole = peer
      .encode({ inner: { labels: ['abc', 'd'], wide: -1 }, reals: [1, 2], numbers: [300] })
      .finish();
    let refused = 0;
    for (let length = 0; length < whole.length; length++) {
      try {
        decodeMessage(whole.subarray(0, length), type);
      } catch {
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(whole.length / 2);
  });
});

function lengthOf({ length }: readonly number[]): number[] {
  return length < 128 ? [length] : [128 + (length % 128), length >> 7];
}

/** Without what tells a Buffer from other bytes. */
function normalised(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(normalised);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'choice');
  return Object.fromEntries(entries.map(([key, each]) => [key, normalised(each)]));
}
