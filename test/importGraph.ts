import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import ts from 'typescript';

/** Modules by path from the repository's root, with forward slashes, and what each of them imports. */
export interface ImportGraph {
  /** Relative imports, resolved to paths; type imports too. */
  readonly modules: ReadonlyMap<string, readonly string[]>;
  /** Imports from packages, by module. */
  readonly packages: ReadonlyMap<string, readonly string[]>;
  /** Text of string literals, by module. */
  readonly strings: ReadonlyMap<string, readonly string[]>;
}

/** Reads the imports of every TypeScript file below some folders. */
export function readImportGraph(root: string, folders: readonly string[]): ImportGraph {
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true }) as string[]) {
      if (!/\.[cm]?tsx?$/.test(name)) continue;
      const path = posix.join(folder, name.replaceAll('\\', '/'));
      sources.set(path, readFileSync(join(root, path), 'utf8'));
    }
  }
  return importGraph(sources);
}

/** The graph of TypeScript sources by path. */
export function importGraph(sources: ReadonlyMap<string, string>): ImportGraph {
  const modules = new Map<string, string[]>();
  const packages = new Map<string, string[]>();
  const strings = new Map<string, string[]>();
  for (const [path, text] of sources) {
    // Static, dynamic and type imports, and re-exports.
    const names = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
    const isRelative = (name: string) => name.startsWith('.');
    modules.set(
      path,
      names.filter(isRelative).map((name) => posix.join(posix.dirname(path), name)),
    );
    packages.set(
      path,
      names.filter((name) => !isRelative(name)),
    );
    strings.set(path, stringsOf(ts.createSourceFile(path, text, ts.ScriptTarget.Latest)));
  }
  return { modules, packages, strings };
}

function stringsOf(node: ts.Node): string[] {
  const isText =
    ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node);
  const found = isText ? [node.text] : [];
  ts.forEachChild(node, (child) => {
    found.push(...stringsOf(child));
  });
  return found;
}

/** Everything that the modules reach, themselves included, with the path by which each was first reached. */
export function reachedFrom(graph: ImportGraph, starts: readonly string[]): Map<string, readonly string[]> {
  const routes = new Map<string, readonly string[]>(starts.map((start) => [start, [start]]));
  for (const [path, route] of routes) {
    for (const imported of graph.modules.get(path) ?? []) {
      if (!routes.has(imported)) routes.set(imported, [...route, imported]);
    }
  }
  return routes;
}

/** One import cycle as the paths along it, or undefined. */
export function findCycle(graph: ImportGraph): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (path: string, route: readonly string[]): readonly string[] | undefined => {
    const at = route.indexOf(path);
    if (at >= 0) return [...route.slice(at), path];
    if (done.has(path)) return undefined;
    for (const imported of graph.modules.get(path) ?? []) {
      const cycle = visit(imported, [...route, path]);
      if (cycle !== undefined) return cycle;
    }
    done.add(path);
    return undefined;
  };
  for (const path of graph.modules.keys()) {
    const cycle = visit(path, []);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
