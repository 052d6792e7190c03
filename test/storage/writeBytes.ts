import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes a file whose byte at place i is i mod 251. @returns its path */
export function writeBytes(folder: string, name: string, byteCount: number): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    Uint8Array.from({ length: byteCount }, (_, i) => i % 251),
  );
  return path;
}
