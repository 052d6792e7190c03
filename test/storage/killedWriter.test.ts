import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { beforeAll, expect, test } from 'vitest';
import { localDisk } from '../../lib/storage/localDisk.ts';
import { temporaryFolder } from './temporaryFolder.ts';

const folder = temporaryFolder();
const script = join(folder, 'writer.mjs');

beforeAll(async () => {
  // Node 20 runs no TypeScript, so the child gets a bundle of the real module.
  const module = fileURLToPath(new URL('../../lib/storage/localDisk.ts', import.meta.url));
  const entry = join(folder, 'entry.ts');
  writeFileSync(
    entry,
    `import { localDisk } from ${JSON.stringify(module)};
     const file = await localDisk.createAtomic(process.argv[2]!);
     for (;;) {
       await file.write(new Uint8Array(65_536).fill(7));
       process.stdout.write('.');
     }`,
  );
  await build({
    configFile: false,
    logLevel: 'silent',
    root: folder,
    build: {
      ssr: entry,
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: { output: { entryFileNames: 'writer.mjs' } },
    },
  });
});

async function outputOf(child: ChildProcess): Promise<void> {
  await Promise.race([
    once(child.stdout!, 'data'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`the writer ended with code ${code}`);
    }),
  ]);
}

test('a writer killed in the middle leaves nothing under the final name, and nothing a listing finds', async () => {
  const path = join(folder, 'killed', 'part-0.arrow');
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  await outputOf(child);
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
  expect(await localDisk.exists(path)).toBe(false);
  expect(await localDisk.list(join(folder, 'killed'))).toEqual([]);
  // The kill did hit a file being written, or this test would prove nothing.
  const leftovers = readdirSync(join(folder, 'killed'));
  expect(leftovers).toEqual([expect.stringMatching(/^\.part-0\.arrow\.[0-9a-f-]{36}\.tmp$/)]);
  expect(statSync(join(folder, 'killed', leftovers[0]!)).size).toBeGreaterThan(0);

  const next = await localDisk.createAtomic(path);
  await next.write(Buffer.from('whole'));
  await next.commit();
  expect(await localDisk.readWhole(path)).toHaveLength(5);
});
