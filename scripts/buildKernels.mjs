// Compiles each of kernels/ into the room of lib/ that uses it, as a file that holds the module's bytes; with --check, says
// whether those files are what the compiler writes.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const KERNELS = [
  {
    name: 'gatherKernels',
    room: 'bundle',
    constant: 'GATHER_KERNELS',
    memory: 'imports the memory as `env.memory`',
    // As lib/bundle/tableMemory.ts makes it.
    options: {
      ...{ importMemory: true, sharedMemory: true, initialMemory: 1, maximumMemory: 65_536 },
      enable: ['simd', 'threads'],
    },
  },
  {
    name: 'valueKernels',
    room: 'features',
    constant: 'VALUE_KERNELS',
    memory: 'has a memory of three pages',
    options: { initialMemory: 3, maximumMemory: 3, enable: ['simd'] },
  },
];

for (const { name, room, constant, memory, options } of KERNELS) {
  const target = `lib/${room}/${name}.ts`;
  const written = `// Compiled from kernels/${name}.ts by \`npm run build:kernels\`, which writes this file.

/** A WebAssembly module, in base64: it exports what its source exports, and ${memory}. */
export const ${constant} =
  '${await compiled(name, options)}';
`;
  const path = fileURLToPath(new URL(`../${target}`, import.meta.url));
  if (!process.argv.includes('--check')) writeFileSync(path, written);
  else if (readFileSync(path, 'utf8') !== written) {
    console.error(`${target} is out of date: npm run build:kernels`);
    process.exitCode = 1;
  }
}

async function compiled(name, options) {
  const source = readFileSync(new URL(`../kernels/${name}.ts`, import.meta.url), 'utf8');
  const { error, stderr, binary } = await asc.compileString(
    { [`${name}.ts`]: source },
    { optimizeLevel: 3, noAssert: true, runtime: 'stub', ...options },
  );
  const messages = stderr.toString();
  if (error || messages !== '') throw new Error(messages, { cause: error });
  return Buffer.from(binary).toString('base64');
}
