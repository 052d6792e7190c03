import type { RandomStream } from '../../lib/base/randomStream.ts';

/** A value of Thrift's compact protocol, or the head of a field or list, within some bytes. */
interface Spot {
  readonly kind: 'integer' | 'binary' | 'fixed' | 'list' | 'field';
  readonly startByte: number;
  readonly endByte: number;
}

const [STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT] = [0, 1, 2, 3, 7, 8, 9, 10, 11, 12];

/** Whatever a count, a size, an offset or an enumeration must not be, and what they may be at their limits. */
const ABSURD: readonly bigint[] = [
  ...[0n, 1n, 2n, 7n, 127n, 128n, 1000n, 2n ** 15n, 2n ** 16n, 2n ** 24n, 2n ** 27n, 2n ** 30n],
  ...[2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 62n, 2n ** 63n - 1n],
  ...[-1n, -2n, -128n, -(2n ** 31n), -(2n ** 53n), -(2n ** 63n)],
];

/** Every value of a struct, in depth. @throws Error when the bytes don't hold one from their start on */
function thriftSpots(bytes: Uint8Array): Spot[] {
  const spots: Spot[] = [];
  let at = 0;
  const add = (kind: Spot['kind'], startByte: number) => {
    // A length of very many bytes is no number at all.
    if (!(at <= bytes.length)) throw new Error('these bytes are no struct any more');
    spots.push({ kind, startByte, endByte: at });
  };
  const next = () => {
    const byte = bytes[at++];
    if (byte === undefined) throw new Error('these bytes are no struct any more');
    return byte;
  };
  const varint = () => {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = next();
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  };
  const struct = () => {
    for (;;) {
      const start = at;
      const head = next();
      const type = head & 15;
      if (type === STOP) return;
      if (head >> 4 === 0) varint();
      add('field', start);
      if (type !== TRUE && type !== FALSE) value(type);
    }
  };
  const value = (type: number): void => {
    const start = at;
    if (type === STRUCT) struct();
    else if (type === LIST || type === SET) {
      const head = next();
      const size = head >> 4 === 15 ? varint() : head >> 4;
      add('list', start);
      for (let index = 0; index < size; index++) value(head & 15);
    } else if (type === BINARY) {
      at += varint();
      add('binary', start);
    } else if (type === BYTE || type === TRUE || type === FALSE || type === DOUBLE) {
      at += type === DOUBLE ? 8 : 1;
      add('fixed', start);
    } else if (type === MAP) throw new Error('Parquet has no maps in its headers');
    else {
      varint();
      add('integer', start);
    }
  };
  struct();
  return spots;
}

function varintBytes(value: bigint): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>= 7n) {
    if (rest < 128n) return [...bytes, Number(rest)];
    bytes.push(Number(rest & 127n) | 128);
  }
}

const zigzag = (value: bigint) => BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));

/** The bytes of a struct with one of its values, lengths or types replaced. */
export function withAbsurdField(bytes: Uint8Array, random: RandomStream): Uint8Array {
  const spots = thriftSpots(bytes);
  const { kind, startByte, endByte } = spots[random.nextBelow(spots.length)]!;
  const absurd = ABSURD[random.nextBelow(ABSURD.length)]!;
  const old = bytes.subarray(startByte, endByte);
  const replacement = (): Iterable<number> => {
    switch (kind) {
      case 'integer':
        return varintBytes(zigzag(absurd));
      case 'list': {
        const elementType = random.nextBelow(4) === 0 ? random.nextBelow(16) : old[0]! & 15;
        return [0xf0 | elementType, ...varintBytes(BigInt.asUintN(64, absurd))];
      }
      case 'binary':
        return random.nextBelow(2) === 0
          ? [...varintBytes(BigInt.asUintN(64, absurd)), ...old.subarray(1)]
          : [old[0]!, ...Array.from(old.subarray(1), () => random.nextBelow(256))];
      default:
        return [random.nextBelow(256), ...old.subarray(1)];
    }
  };
  return Buffer.concat([
    bytes.subarray(0, startByte),
    Uint8Array.from(replacement()),
    bytes.subarray(endByte),
  ]);
}
