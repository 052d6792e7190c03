import { createHash } from 'node:crypto';

/** A hash takes at most 2^31 - 1 bytes at a time. */
const MAX_UPDATE_BYTES = 2 ** 30;

/** Hexadecimal. */
export function sha256(data: Uint8Array | string): string {
  const hash = createHash('sha256');
  if (typeof data === 'string') return hash.update(data).digest('hex');
  for (let at = 0; at < data.length; at += MAX_UPDATE_BYTES) {
    hash.update(data.subarray(at, at + MAX_UPDATE_BYTES));
  }
  return hash.digest('hex');
}

/** JSON with the keys of every object in binary order, so that equal documents have equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
