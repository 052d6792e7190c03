const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

const wrap = (value: bigint) => BigInt.asUintN(64, value);
const rotl = (value: bigint, bits: bigint) => wrap(value << bits) | (value >> (64n - bits));
const round = (acc: bigint, lane: bigint) => wrap(rotl(wrap(acc + lane * P2), 31n) * P1);

/** XXH64 written down from the specification in BigInts: slow, and independent of lib/features/hash64.ts. */
export function referenceXxh64(bytes: Uint8Array, seed: bigint): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  let acc = wrap(seed + P5);
  if (bytes.length >= 32) {
    const lanes = [wrap(seed + P1 + P2), wrap(seed + P2), seed, wrap(seed - P1)];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        lanes[lane] = round(lanes[lane]!, view.getBigUint64(at + 8 * lane, true));
      }
    }
    const [a, b, c, d] = lanes as [bigint, bigint, bigint, bigint];
    acc = wrap(rotl(a, 1n) + rotl(b, 7n) + rotl(c, 12n) + rotl(d, 18n));
    for (const lane of lanes) acc = wrap((acc ^ round(0n, lane)) * P1 + P4);
  }
  acc = wrap(acc + BigInt(bytes.length));
  for (; at + 8 <= bytes.length; at += 8) {
    acc = wrap(rotl(acc ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4);
  }
  if (at + 4 <= bytes.length) {
    acc = wrap(rotl(acc ^ wrap(BigInt(view.getUint32(at, true)) * P1), 23n) * P2 + P3);
    at += 4;
  }
  for (; at < bytes.length; at++) acc = wrap(rotl(acc ^ wrap(BigInt(bytes[at]!) * P5), 11n) * P1);
  acc = wrap((acc ^ (acc >> 33n)) * P2);
  acc = wrap((acc ^ (acc >> 29n)) * P3);
  return acc ^ (acc >> 32n);
}
