import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** In a test or a helper: what another file in the same thread could feel, or what is the process's own. */
const STATE =
  /\bvi\.|process\.(env|chdir|exit|on\b|memoryUsage|umask|kill|cpuUsage|resourceUsage)|globalThis|S3Double|testEndpoint|\bgc\(/;
/** In a helper, at the top: it is imported, and so set up, once a thread, and taken down with the first file. */
const SET_UP_ON_IMPORT =
  /^(export )?(const|let) .*temporaryFolder\(|^(before|after)(All|Each)\(|^(export )?let /m;
/**
 * In a test, a helper or the library: native state, threads and processes; and the compiler, whose programs are slow in a heap that
 * other files have filled.
 */
const NATIVE = /'(onnxruntime-node|node:worker_threads|node:child_process|typescript)'/;
const IMPORTED = /(?:from |import\()'(\.[^']+)'/g;

/**
 * Test files that one thread may run one after the other, because neither they nor what they import hold anything that outlives
 * a file but what can be computed again. A process of its own is half of what a short file costs.
 * @param root the checkout @returns paths below it
 */
export function filesThatShareThreads(root: string): string[] {
  const holds = new Map<string, { readonly state: boolean; readonly imported: readonly string[] }>();
  const read = (path: string) => {
    const known = holds.get(path);
    if (known !== undefined) return known;
    const text = existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
    const isTest = path.startsWith('test/');
    const isHelper = isTest && !path.endsWith('.test.ts');
    const state =
      NATIVE.test(text) || (isTest && STATE.test(text)) || (isHelper && SET_UP_ON_IMPORT.test(text));
    const imported = [...text.matchAll(IMPORTED)].map(([, name]) => posix.join(posix.dirname(path), name!));
    const found = { state, imported };
    holds.set(path, found);
    return found;
  };
  const isFree = (path: string): boolean => {
    const reached = new Set([path]);
    for (const each of reached) {
      const { state, imported } = read(each);
      if (state) return false;
      for (const next of imported) reached.add(next);
    }
    return true;
  };
  return readdirSync(join(root, 'test'), { recursive: true })
    .map((name) => `test/${String(name).replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.test.ts') && isFree(path))
    .sort();
}
