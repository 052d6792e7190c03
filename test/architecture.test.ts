import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ALLOWED_IMPORTS } from './allowedImports.ts';
import { findCycle, type ImportGraph, importGraph, reachedFrom, readImportGraph } from './importGraph.ts';

/** Building and training networks: nothing that serves scores may reach them. */
const TRAINING_ONLY =
  /^lib\/((training|masks|recipe)\/|bundle\/(writeBundle|buildScoringGraph)\.ts$|onnx\/(graphBuilder|ops|opDefinition|linearOps|shapeOps|elementwiseOps|gradients|adam)\.ts$)/;
const SERVING = /^(functions|lib\/(scoring|publish))\//;
/** It misreads dictionary pages without an error; the synthetic funnel and the tests write with it. */
const NOT_IN_LIB = 'parquetjs-lite';
const MAY_WRITE_WITH_IT = 'lib/synthesis/writeShard.ts';

/** Only lib/bundle knows them; a path of another room's own may hold them, such as a demo's list of what it wrote. */
const BUNDLE_FILES = /bundle\.json|model\.onnx|golden\.arrow/;

/** Lambda ends in functions/. */
const ONLY_IN_FUNCTIONS = /^(@aws-lambda-powertools\/|aws-lambda$)/;

/** Every rule that the graph breaks, one line each. */
function violations(graph: ImportGraph): string[] {
  const found: string[] = [];
  for (const [path, imports] of graph.modules) {
    const layer = layerOf(path);
    const allowed = ALLOWED_IMPORTS[layer];
    if (allowed === undefined) {
      found.push(`${path}: the folder ${layer} has no row in the table of layers`);
      continue;
    }
    for (const imported of imports) {
      const target = layerOf(imported);
      if (!graph.modules.has(imported)) found.push(`${path}: imports ${imported}, which doesn't exist`);
      else if (target !== layer && target !== 'lib/base' && !allowed.includes(target)) {
        found.push(`${path}: ${layer} may not import ${imported}`);
      }
    }
  }
  const servers = [...graph.modules.keys()].filter((path) => SERVING.test(path));
  for (const [path, route] of reachedFrom(graph, servers)) {
    if (TRAINING_ONLY.test(path)) found.push(`serving reaches training: ${route.join(' -> ')}`);
  }
  for (const [path, names] of graph.packages) {
    const isForbidden = names.some((name) => name === NOT_IN_LIB || name.startsWith(`${NOT_IN_LIB}/`));
    if (isForbidden && path.startsWith('lib/') && path !== MAY_WRITE_WITH_IT)
      found.push(`${path}: imports ${NOT_IN_LIB}`);
    const ofLambda = names.filter((name) => ONLY_IN_FUNCTIONS.test(name));
    if (!path.startsWith('functions/')) found.push(...ofLambda.map((name) => `${path}: imports ${name}`));
  }
  for (const [path, texts] of graph.strings) {
    if (!/^(lib|functions)\//.test(path) || path.startsWith('lib/bundle/')) continue;
    const named = texts.find((text) => BUNDLE_FILES.test(text));
    if (named !== undefined) found.push(`${path}: names a file of a bundle in '${named}'`);
  }
  const cycle = findCycle(graph);
  if (cycle !== undefined) found.push(`import cycle: ${cycle.join(' -> ')}`);
  return found;
}

function layerOf(path: string): string {
  const folders = path.split('/').slice(0, -1);
  return (folders[0] === 'functions' ? folders.slice(0, 1) : folders.slice(0, 2)).join('/');
}

const root = fileURLToPath(new URL('..', import.meta.url));
const page = readFileSync(`${root}docs/architecture.md`, 'utf8');

describe('the architecture', () => {
  const folders = ['lib', 'functions', 'examples'].filter((folder) => existsSync(`${root}${folder}`));
  const graph = readImportGraph(root, folders);

  test('holds: layers, no training where scores are served, no cycle, parquetjs-lite in lib only to write synthetic shards, Lambda in functions only', () => {
    expect(violations(graph)).toEqual([]);
  });

  test('was read: the known paths from the CLI to storage and to training are in the graph', () => {
    expect(graph.modules.size).toBeGreaterThan(80);
    const fromMain = reachedFrom(graph, ['lib/cli/main.ts']);
    for (const path of ['lib/storage/diskFile.ts', 'lib/recipe/trainModel.ts', 'lib/onnx/adam.ts']) {
      expect(fromMain.has(path), path).toBe(true);
    }
    // What the rules name must exist, or a rename would switch them off.
    for (const name of ['graphBuilder', 'ops', 'gradients', 'adam']) {
      expect(graph.modules.has(`lib/onnx/${name}.ts`), name).toBe(true);
    }
    expect(reachedFrom(graph, ['lib/scoring/scoringWorker.ts']).has('lib/onnx/session.ts')).toBe(true);
  });

  test('is what docs/architecture.md draws: every room on a floor above all that it may import, every room described', () => {
    const [, picture = ''] = /## Rooms[\s\S]*?```\n([\s\S]*?)```/.exec(page) ?? [];
    const floorOf = new Map<string, number>();
    for (const line of picture.trim().split('\n')) {
      const [floor, ...rooms] = line.trim().split(/\s+/);
      for (const room of rooms) floorOf.set(room === 'functions' ? room : `lib/${room}`, Number(floor));
    }
    const rooms = Object.keys(ALLOWED_IMPORTS).filter((room) => room !== 'examples/demo');
    expect([...floorOf.keys()].sort()).toEqual([...rooms].sort());
    for (const room of rooms) {
      expect(page, room).toContain(`| \`${room}\` |`);
      const below = [...ALLOWED_IMPORTS[room]!, ...(room === 'lib/base' ? [] : ['lib/base'])];
      for (const imported of below)
        expect(floorOf.get(imported), `${room} -> ${imported}`).toBeLessThan(floorOf.get(room)!);
    }
  });

  test('allows no import that nobody uses', () => {
    const used = new Set<string>();
    for (const [path, imports] of graph.modules) {
      for (const imported of imports) used.add(`${layerOf(path)} -> ${layerOf(imported)}`);
    }
    const unused = Object.entries(ALLOWED_IMPORTS).flatMap(([room, targets]) =>
      targets.map((target) => `${room} -> ${target}`).filter((arrow) => !used.has(arrow)),
    );
    expect(unused).toEqual([]);
  });

  test('has every file that docs/architecture.md names', () => {
    const named = [...page.matchAll(/`((?:lib|functions|test|infra|scripts)\/[\w./-]+\.\w+)`/g)].map(
      ([, path]) => path!,
    );
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
  });

  test('imports carry the .ts extension', () => {
    const bare = [...graph.modules].flatMap(([path, imports]) =>
      imports.filter((imported) => !imported.endsWith('.ts')).map((imported) => `${path}: ${imported}`),
    );
    expect(bare).toEqual([]);
  });
});

describe('the checker', () => {
  const check = (sources: Readonly<Record<string, string>>) =>
    violations(importGraph(new Map(Object.entries(sources))));

  test('accepts a graph that keeps the rules', () => {
    const good = {
      'lib/base/errors.ts': '',
      'lib/storage/disk.ts': "import { E } from '../base/errors.ts';",
      'lib/scoring/score.ts': "import { open } from '../storage/disk.ts'; import x from 'apache-arrow';",
      'lib/cli/main.ts': "import { score } from '../scoring/score.ts';",
      'examples/demo/main.ts': "import 'parquetjs-lite';",
    };
    expect(check(good)).toEqual([]);
  });

  test.each([
    [
      'a lower layer imports an upper one',
      'lib/storage may not import lib/parquet/read.ts',
      {
        'lib/storage/disk.ts': "import { read } from '../parquet/read.ts';",
        'lib/parquet/read.ts': '',
      },
    ],
    [
      'a type import counts too',
      'lib/features may not import lib/network/a.ts',
      {
        'lib/features/b.ts': "import type { A } from '../network/a.ts';",
        'lib/network/a.ts': '',
      },
    ],
    [
      'a re-export counts too',
      'lib/features may not import lib/network/a.ts',
      {
        'lib/features/b.ts': "export { a } from '../network/a.ts';",
        'lib/network/a.ts': '',
      },
    ],
    [
      'a dynamic import counts too',
      'lib/features may not import lib/network/a.ts',
      {
        'lib/features/b.ts': "const a = await import('../network/a.ts');",
        'lib/network/a.ts': '',
      },
    ],
    [
      'anything imports the CLI',
      'lib/scoring may not import lib/cli/line.ts',
      {
        'lib/scoring/score.ts': "import { line } from '../cli/line.ts';",
        'lib/cli/line.ts': '',
      },
    ],
    [
      'scoring imports training',
      'lib/scoring may not import lib/training/train.ts',
      {
        'lib/scoring/score.ts': "import { train } from '../training/train.ts';",
        'lib/training/train.ts': '',
      },
    ],
    [
      'a function reaches graph building through allowed layers',
      'serving reaches training: functions/score.ts -> lib/network/network.ts -> lib/onnx/graphBuilder.ts',
      {
        'functions/score.ts': "import { network } from '../lib/network/network.ts';",
        'lib/network/network.ts': "import { GraphBuilder } from '../onnx/graphBuilder.ts';",
        'lib/onnx/graphBuilder.ts': '',
      },
    ],
    [
      'modules import each other',
      'import cycle: lib/network/a.ts -> lib/network/b.ts -> lib/network/a.ts',
      {
        'lib/network/a.ts': "import { b } from './b.ts';",
        'lib/network/b.ts': "import { a } from './a.ts';",
      },
    ],
    [
      'lib imports parquetjs-lite',
      'lib/parquet/read.ts: imports parquetjs-lite',
      {
        'lib/parquet/read.ts': "import parquet from 'parquetjs-lite';",
      },
    ],
    [
      'lib imports what belongs to Lambda',
      'lib/storage/s3.ts: imports @aws-lambda-powertools/logger',
      {
        'lib/storage/s3.ts': "import { Logger } from '@aws-lambda-powertools/logger';",
      },
    ],
    [
      'another room knows a file of a bundle',
      "lib/publish/pointer.ts: names a file of a bundle in '/model.onnx'",
      {
        'lib/publish/pointer.ts': "const uri = root + '/model.onnx'; // model.onnx in a comment is fine",
      },
    ],
    [
      'a new folder without a row in the table',
      'lib/utils has no row in the table of layers',
      {
        'lib/utils/helpers.ts': '',
      },
    ],
    [
      'an import of a file that is not there',
      "imports lib/network/gone.ts, which doesn't exist",
      {
        'lib/network/a.ts': "import { gone } from './gone.ts';",
      },
    ],
  ])('finds: %s', (_, violation, sources) => {
    expect(check(sources).join('\n')).toContain(violation);
  });
});
