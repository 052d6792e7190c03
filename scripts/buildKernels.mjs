// Compiles each of kernels/ into the room of lib/ that uses it, as a file that holds the module's bytes, and takes libzstd's decoder
// out of the package zstddec the same way; with --check, says whether those files are what it would write.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

/** Over the memory that lib/bundle/tableMemory.ts makes. */
const OVER_TABLES = {
  room: 'bundle',
  memory: 'imports the memory as `env.memory`',
  options: {
    ...{ importMemory: true, sharedMemory: true, initialMemory: 1, maximumMemory: 65_536 },
    enable: ['simd', 'threads'],
  },
};

const KERNELS = [
  { name: 'gatherKernels', constant: 'GATHER_KERNELS', ...OVER_TABLES },
  { name: 'productKernels', constant: 'PRODUCT_KERNELS', ...OVER_TABLES },
  { name: 'layerKernels', constant: 'LAYER_KERNELS', ...OVER_TABLES },
  {
    name: 'valueKernels',
    room: 'features',
    constant: 'VALUE_KERNELS',
    memory: 'has a memory of three pages',
    options: { initialMemory: 3, maximumMemory: 3, enable: ['simd'] },
  },
  {
    name: 'pageKernels',
    parts: ['hybridRuns', 'pageNumbers', 'pageValues', 'snappyBlocks'],
    room: 'parquet',
    constant: 'PAGE_KERNELS',
    memory: "imports libzstd's memory as `env.memory` and its ZSTD_decompress as `pageKernels.decompress`",
    options: { importMemory: true, initialMemory: 1, enable: ['simd', 'bulk-memory'] },
  },
];

for (const { name, parts = [], room, constant, memory, options } of KERNELS) {
  write(
    `lib/${room}/${name}.ts`,
    `// Compiled from kernels/${name}.ts by \`npm run build:kernels\`, which writes this file.

/** A WebAssembly module, in base64: it exports what its source exports, and ${memory}. */
export const ${constant} =
  '${await compiled([name, ...parts], options)}';
`,
  );
}

const zstddec = readFileSync(fileURLToPath(import.meta.resolve('zstddec')), 'utf8');
const [, licence] = /(\/\*\*\n\* BSD License[\s\S]*?\*\/)/.exec(zstddec);
const [, decoder] = /const wasm = "([^"]+)"/.exec(zstddec);
const { version } = JSON.parse(readFileSync('node_modules/zstddec/package.json', 'utf8'));
write(
  'lib/parquet/zstdModule.ts',
  `// Taken from the package zstddec ${version} by \`npm run build:kernels\`, which writes this file.

${licence.replaceAll('\n*', '\n *')}

/** libzstd's decoder as a WebAssembly module, in base64. */
export const ZSTD_MODULE =
  '${decoder}';
`,
);

function write(target, written) {
  const path = fileURLToPath(new URL(`../${target}`, import.meta.url));
  if (!process.argv.includes('--check')) writeFileSync(path, written);
  else if (readFileSync(path, 'utf8') !== written) {
    console.error(`${target} is out of date: npm run build:kernels`);
    process.exitCode = 1;
  }
}

async function compiled(names, options) {
  const source = (name) => readFileSync(new URL(`../kernels/${name}.ts`, import.meta.url), 'utf8');
  const { error, stderr, binary } = await asc.compileString(
    Object.fromEntries(names.map((name) => [`${name}.ts`, source(name)])),
    { optimizeLevel: 3, noAssert: true, runtime: 'stub', ...options },
  );
  const messages = stderr.toString();
  if (error || messages !== '') throw new Error(messages, { cause: error });
  return Buffer.from(binary).toString('base64');
}
