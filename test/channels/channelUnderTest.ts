import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { channelUri } from '../../lib/channels/channelDocument.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

export const folder = temporaryFolder();
export const NOW = Date.parse('2026-01-02T03:04:05Z');

let count = 0;
/** A channel of a models root of its own, on disk or in S3. */
export function freshChannel(base: string) {
  return { models: `${base}/models-${count++}`, channel: 'live' };
}

/** A copy of a bundle on disk that differs in its version, and so in its digest, alone. */
export function withVersion(bundleUri: string, version: string): string {
  const copy = join(folder, `bundle-${count++}`);
  cpSync(bundleUri, copy, { recursive: true });
  const file = join(copy, 'bundle.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as object;
  writeFileSync(file, JSON.stringify({ ...manifest, modelVersion: version }));
  return copy;
}

/** The channel's document on disk, as text. */
export function channelText(place: { models: string; channel: string }): string {
  return readFileSync(channelUri(place), 'utf8');
}
