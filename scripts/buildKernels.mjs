// Compiles kernels/gatherKernels.ts into lib/bundle/gatherKernels.ts, which holds the module's bytes; with --check, says whether
// that file is what the compiler writes.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const source = fileURLToPath(new URL('../kernels/gatherKernels.ts', import.meta.url));
const target = fileURLToPath(new URL('../lib/bundle/gatherKernels.ts', import.meta.url));
const { error, stderr, binary } = await asc.compileString(
  { 'gatherKernels.ts': readFileSync(source, 'utf8') },
  {
    ...{ optimizeLevel: 3, noAssert: true, runtime: 'stub' },
    // As lib/bundle/tableMemory.ts makes it.
    ...{ importMemory: true, sharedMemory: true, initialMemory: 1, maximumMemory: 65_536 },
    enable: ['simd', 'threads'],
  },
);
const messages = stderr.toString();
if (error || messages !== '') throw new Error(messages, { cause: error });

const written = `// Compiled from kernels/gatherKernels.ts by \`npm run build:kernels\`, which writes this file.

/** A WebAssembly module, in base64: it exports what its source exports, and imports the memory as \`env.memory\`. */
export const GATHER_KERNELS =
  '${Buffer.from(binary).toString('base64')}';
`;
if (!process.argv.includes('--check')) writeFileSync(target, written);
else if (readFileSync(target, 'utf8') !== written) {
  console.error('lib/bundle/gatherKernels.ts is out of date: npm run build:kernels');
  process.exitCode = 1;
}
