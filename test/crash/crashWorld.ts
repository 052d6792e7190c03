import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../lib/base/digest.ts';
import type { StoredObject } from '../support/s3/s3Bucket.ts';
import type { TestEndpoint } from '../support/s3/testEndpoint.ts';

/**
 * Where a scenario takes place. All its cases have the same root, one after the other, so that undisturbed and disturbed commands
 * write the same bytes.
 */
export interface CrashWorld {
  readonly name: string;
  readonly root: string;
  readonly inputUri: string;
  /** Keeps what is below the root. @returns puts it back */
  snapshot(): () => void;
  /** Digest by path of all that is below the root, hidden and temporary files too. */
  listing(): ReadonlyMap<string, string>;
}

export function diskWorld(folder: string): CrashWorld {
  const root = join(folder, 'scores');
  let snapshots = 0;
  return {
    name: 'disk',
    root,
    inputUri: join(folder, 'input'),
    snapshot() {
      const copy = join(folder, `snapshot-${snapshots++}`);
      mkdirSync(root, { recursive: true });
      cpSync(root, copy, { recursive: true, preserveTimestamps: true });
      return () => {
        rmSync(root, { recursive: true, force: true });
        cpSync(copy, root, { recursive: true, preserveTimestamps: true });
      };
    },
    listing() {
      const found = new Map<string, string>();
      if (!existsSync(root)) return found;
      for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        found.set(path.slice(root.length + 1), sha256(readFileSync(path)));
      }
      return found;
    },
  };
}

export function s3World(endpoint: TestEndpoint, prefix: string): CrashWorld {
  const base = `${prefix}/scores/`;
  const bucket = () => endpoint.double!.buckets.get(endpoint.bucket)!;
  const below = (): [string, StoredObject][] => [...bucket().objects].filter(([key]) => key.startsWith(base));
  return {
    name: 'S3',
    root: `s3://${endpoint.bucket}/${prefix}/scores`,
    inputUri: `s3://${endpoint.bucket}/${prefix}/input`,
    snapshot() {
      const kept = below();
      return () => {
        for (const [key] of below()) bucket().objects.delete(key);
        for (const [key, object] of kept) bucket().objects.set(key, object);
      };
    },
    listing: () => new Map(below().map(([key, { bytes }]) => [key.slice(base.length), sha256(bytes)])),
  };
}
