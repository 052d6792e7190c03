import type { RandomStream } from '../../lib/base/randomStream.ts';

/** A copy of `bytes` with damage of one kind, which disks, networks and careless programs do. */
export interface DamagedBytes {
  readonly kind: 'bits' | 'bytes' | 'zeros' | 'swapped' | 'repeated' | 'cut' | 'removed' | 'inserted';
  readonly bytes: Uint8Array;
}

const KINDS = ['bits', 'bytes', 'zeros', 'swapped', 'repeated', 'cut', 'removed', 'inserted'] as const;
/** Those that leave every byte at its place. */
const IN_PLACE = 5;

/** @param inPlace the length stays, so that only what is within the bytes is damaged */
export function damagedBytes(
  bytes: Uint8Array,
  random: RandomStream,
  { inPlace = false }: { readonly inPlace?: boolean } = {},
): DamagedBytes {
  const kind = KINDS[random.nextBelow(inPlace ? IN_PLACE : KINDS.length)]!;
  const copy = Uint8Array.from(bytes);
  const size = copy.length;
  if (size === 0) return { kind, bytes: copy };
  const place = () => random.nextBelow(size);
  const length = Math.min(size, 1 + random.nextBelow(64));
  const from = random.nextBelow(size - length + 1);
  switch (kind) {
    case 'bits':
      for (let hit = 0; hit <= random.nextBelow(4); hit++) copy[place()]! ^= 1 << random.nextBelow(8);
      return { kind, bytes: copy };
    case 'bytes':
      for (let hit = 0; hit <= random.nextBelow(8); hit++) copy[place()] = random.nextBelow(256);
      return { kind, bytes: copy };
    case 'zeros':
      return { kind, bytes: copy.fill(0, from, from + length) };
    case 'swapped': {
      const other = random.nextBelow(size - length + 1);
      copy.set(bytes.subarray(other, other + length), from);
      copy.set(bytes.subarray(from, from + length), other);
      return { kind, bytes: copy };
    }
    case 'repeated': {
      const source = random.nextBelow(size - length + 1);
      return { kind, bytes: copy.copyWithin(from, source, source + length) };
    }
    case 'cut':
      return { kind, bytes: copy.subarray(0, place()) };
    case 'removed':
      return { kind, bytes: Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + length)]) };
    case 'inserted': {
      const inserted = Uint8Array.from({ length }, () => random.nextBelow(256));
      return { kind, bytes: Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from)]) };
    }
  }
}
