// The version of the code: the package's version, and a digest of what the code does.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';

/** What trains, scores and publishes; the examples call it. */
const FOLDERS = ['functions', 'lib'];
const DIGEST_LENGTH = 12;

/** Sources of this process as JavaScript: tests ask for the version of many checkouts that differ in one file. */
const transformed = new Map();

/**
 * Of a checkout, such as `0.1.0+3f2a91c04d7e`. The digest is over the sources as JavaScript, without types, comments and
 * layout, and over the locked versions of what runs with them: equal on every machine, another one with every change of
 * behaviour. The development tools' versions are left out.
 */
export function codeVersion(project) {
  const json = (name) => JSON.parse(readFileSync(join(project, name), 'utf8'));
  const hash = createHash('sha256');
  for (const path of sourceFiles(project)) {
    const source = readFileSync(join(project, path), 'utf8');
    hash.update(JSON.stringify([path, asJavaScript(source)]));
  }
  const locked = Object.entries(json('package-lock.json').packages).filter(
    ([path, { dev }]) => path !== '' && !dev,
  );
  hash.update(JSON.stringify(locked.map(([path, { version }]) => `${path}@${version}`).sort()));
  return `${json('package.json').version}+${hash.digest('hex').slice(0, DIGEST_LENGTH)}`;
}

function asJavaScript(source) {
  if (!transformed.has(source)) {
    const { code } = transformSync(source, { loader: 'ts', target: 'es2022', minifyWhitespace: true });
    transformed.set(source, code);
  }
  return transformed.get(source);
}

/** In binary order, with forward slashes. */
function sourceFiles(project) {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(project, folder), { recursive: true })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
      .map((name) => `${folder}/${name.replaceAll('\\', '/')}`),
  ).sort();
}
