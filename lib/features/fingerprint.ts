import { sha256 } from '../sha256.ts';
import type { FeatureContract } from './contract.ts';

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

/** `sha256:` and the hex digest of the contract's canonical JSON, learned values included. */
export function contractFingerprint(contract: FeatureContract): string {
  return `sha256:${sha256(canonicalJson(contract))}`;
}
