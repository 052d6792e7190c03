import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

/** Files of a packaged function by path, as `npm run package` has built it. */
export function packagedFiles(arch: string, name: string): Record<string, Uint8Array> {
  const zip = new URL(`../../../build/${arch}/${name}.zip`, import.meta.url);
  return unzipSync(readFileSync(fileURLToPath(zip)));
}

/** Unzips a packaged function below a folder and returns its task root. */
export function unzipFunction(folder: string, arch: string, name: string): string {
  const taskRoot = join(folder, arch, name);
  for (const [file, bytes] of Object.entries(packagedFiles(arch, name))) {
    mkdirSync(dirname(join(taskRoot, file)), { recursive: true });
    writeFileSync(join(taskRoot, file), bytes);
  }
  return taskRoot;
}
