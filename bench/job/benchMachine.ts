import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';

/** What the numbers of a run depend on besides the code. */
export interface BenchMachine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Runs every arm but the peers. */
  readonly node: string;
  /** Of onnxruntime-node. */
  readonly onnxruntime: string;
  /** The same of the checkout that is compared with. */
  readonly onnxruntimeBefore?: string;
  /** Versions of Python and of the peers' packages, by name; absent where they don't run. */
  readonly peers?: Readonly<Record<string, string>>;
}

const PEER_PACKAGES = ['numpy', 'onnxruntime', 'pyarrow', 'polars', 'duckdb'];
const ASK_VERSIONS = `import json, platform, sys
from importlib.metadata import version
print(json.dumps({"Python": platform.python_version(), **{name: version(name) for name in sys.argv[1:]}}))`;

/** @param python executable of the peers' environment */
export function benchMachine(
  project: string,
  before: string | undefined,
  python: string | undefined,
): BenchMachine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    node: process.version,
    onnxruntime: onnxruntimeOf(project),
    ...(before === undefined ? {} : { onnxruntimeBefore: onnxruntimeOf(before) }),
    ...(python === undefined ? {} : { peers: peerVersions(python) }),
  };
}

function onnxruntimeOf(checkout: string): string {
  const file = join(checkout, 'node_modules/onnxruntime-node/package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function peerVersions(python: string): Record<string, string> {
  const args = ['-c', ASK_VERSIONS, ...PEER_PACKAGES];
  return JSON.parse(execFileSync(python, args, { encoding: 'utf8' })) as Record<string, string>;
}

/** The head of the tables. */
export function renderMachine(
  { processor, cores, memoryBytes, node, onnxruntime, onnxruntimeBefore, peers }: BenchMachine,
  codeVersion: string,
): string {
  const before = onnxruntimeBefore === undefined ? '' : ` (before: ${onnxruntimeBefore})`;
  const versions = Object.entries(peers ?? {}).map(([name, version]) => `${name} ${version}`);
  return [
    `ncs4cvr ${codeVersion}: Node ${node}, onnxruntime-node ${onnxruntime}${before}`,
    `peers: ${peers === undefined ? 'none' : versions.join(', ')}`,
    `machine: ${processor}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(1)} GiB of memory`,
  ].join('\n');
}
