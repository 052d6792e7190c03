import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

/** Files of a packaged function by path, as `npm run package` has built it. */
export function packagedFiles(
  arch: string,
  name: string,
  checkout: string = fileURLToPath(new URL('../../../', import.meta.url)),
): Record<string, Uint8Array> {
  return unzipSync(readFileSync(join(checkout, 'build', arch, `${name}.zip`)));
}

/** Unzips a packaged function below a folder and returns its task root. */
export function unzipFunction(folder: string, arch: string, name: string, checkout?: string): string {
  const taskRoot = join(folder, arch, name);
  for (const [file, bytes] of Object.entries(packagedFiles(arch, name, checkout))) {
    mkdirSync(dirname(join(taskRoot, file)), { recursive: true });
    writeFileSync(join(taskRoot, file), bytes);
  }
  return taskRoot;
}
