import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** In a test or a helper: what the next file in the same thread or process could feel. */
const STATE =
  /\bvi\.|process\.(env|chdir|exit|on\b|memoryUsage|umask|kill|cpuUsage|resourceUsage)|globalThis|flushDenormals|\bgc\(/;
/** In a helper, at the top: it is imported, and so set up, once a thread, and taken down with the first file. A counter may go on. */
const SET_UP_ON_IMPORT =
  /^(export )?(const|let) .*temporaryFolder\(|^(before|after)(All|Each)\(|^(export )?let (?!\w+ = 0;)/m;
/** In a test, a helper or the library: programs of the compiler are slow in a heap that other files have filled. */
const COMPILER = /'typescript'/;
/** In a test, a helper or the library: native state, threads and processes, which threads of one process would have in common. */
const NATIVE = /'(onnxruntime-node|node:worker_threads|node:child_process)'|S3Double|testEndpoint/;
/** Helpers that put back what they change of the process. */
const PUTS_BACK = 'test/support/s3/';
const IMPORTED = /(?:from |import\(|import )'(\.[^']+)'/g;

/** Test files, as paths below a checkout. */
export interface TestFilesThatShare {
  /** Hold nothing that outlives a file but what can be computed again: one thread of many may run one after the other. */
  readonly threads: readonly string[];
  /** Hold native state, or threads and processes of their own, but leave the process as it was: the same with one process of many. */
  readonly processes: readonly string[];
}

/**
 * Which test files may share a thread or a process, by what they and what they import hold. A process of its own is half of what a
 * short file costs.
 * @param root the checkout
 */
export function testFilesThatShare(root: string): TestFilesThatShare {
  const read = remembered((path) => holdings(root, path));
  const sharing = readdirSync(join(root, 'test'), { recursive: true })
    .map((name) => `test/${String(name).replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.test.ts'))
    .sort()
    .map((path) => ({ path, reached: reachedFrom(path, read) }))
    .filter(({ reached }) => reached.every(({ isStateful }) => !isStateful));
  const areNative = (native: boolean) =>
    sharing
      .filter(({ reached }) => reached.some(({ isNative }) => isNative) === native)
      .map(({ path }) => path);
  return { threads: areNative(false), processes: areNative(true) };
}

interface Holdings {
  readonly isStateful: boolean;
  readonly isNative: boolean;
  readonly imported: readonly string[];
}

function holdings(root: string, path: string): Holdings {
  const text = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
  const isTest = path.startsWith('test/');
  const isHelper = isTest && !path.endsWith('.test.ts');
  return {
    isStateful:
      COMPILER.test(text) ||
      (isTest && !path.startsWith(PUTS_BACK) && STATE.test(text)) ||
      (isHelper && SET_UP_ON_IMPORT.test(text)),
    isNative: NATIVE.test(text),
    imported: [...text.matchAll(IMPORTED)].map(([, name]) => posix.join(posix.dirname(path), name!)),
  };
}

/** A file and all that it imports. */
function reachedFrom(path: string, read: (path: string) => Holdings): Holdings[] {
  const reached = new Set([path]);
  const found: Holdings[] = [];
  for (const each of reached) {
    const file = read(each);
    found.push(file);
    for (const next of file.imported) reached.add(next);
  }
  return found;
}

function remembered(read: (path: string) => Holdings): (path: string) => Holdings {
  const known = new Map<string, Holdings>();
  return (path) => {
    const found = known.get(path) ?? read(path);
    known.set(path, found);
    return found;
  };
}
