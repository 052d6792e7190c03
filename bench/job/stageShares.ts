import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a run's time goes, in the order in which rows meet the stages. */
export const STAGES = [
  'read',
  'decode',
  'encode',
  'gather',
  'session',
  'count',
  'write',
  'collect garbage',
  'load code',
  'other',
] as const;
export type Stage = (typeof STAGES)[number];

/** V8's format: https://chromedevtools.github.io/devtools-protocol/tot/Profiler/#type-Profile */
interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

/** By where a frame's code lies; the innermost frame that has a stage decides. */
const PLACES: readonly (readonly [RegExp, Stage])[] = [
  [/onnxruntime/, 'session'],
  // WebAssembly's own frames have the stage of what called them.
  [/parquet-wasm|\/lib\/parquet\//, 'decode'],
  [/\/lib\/features\//, 'encode'],
  [/\/lib\/bundle\/.*(gather|scoringSession)/i, 'gather'],
  [/\/lib\/profile\//, 'count'],
  [/\/lib\/arrow\/|AtomicFile|encodeColumns/, 'write'],
  [/\/lib\/storage\//, 'read'],
  [/^node:internal\/modules|^node:internal\/bootstrap/, 'load code'],
];
const NATIVE: Readonly<Record<string, Stage | undefined>> = {
  '(garbage collector)': 'collect garbage',
  '(idle)': undefined,
};

/**
 * The shares of the stages in the time that threads were busy, by the profiles that `node --cpu-prof` left in a folder: one for each
 * thread. Samples are taken every millisecond or so, by the clock: on a busy machine they count waiting for a core, too.
 */
export function stageShares(folder: string): Record<Stage, number> {
  const micros = new Map<Stage, number>();
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.cpuprofile'))) {
    addProfile(JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile, micros);
  }
  const all = [...micros.values()].reduce((sum, each) => sum + each, 0);
  return Object.fromEntries(STAGES.map((stage) => [stage, (micros.get(stage) ?? 0) / all])) as Record<
    Stage,
    number
  >;
}

function addProfile({ nodes, samples, timeDeltas }: Profile, micros: Map<Stage, number>): void {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const stages = new Map<number, Stage | undefined>();
  // Parents come before their children.
  const visit = (node: ProfileNode, inherited: Stage): void => {
    const { functionName, url } = node.callFrame;
    const place = PLACES.find(([pattern]) => pattern.test(url))?.[1] ?? inherited;
    stages.set(node.id, Object.hasOwn(NATIVE, functionName) ? NATIVE[functionName] : place);
    for (const child of node.children ?? []) visit(byId.get(child)!, place);
  };
  visit(nodes[0]!, 'other');
  for (const [index, id] of samples.entries()) {
    const stage = stages.get(id);
    if (stage !== undefined) micros.set(stage, (micros.get(stage) ?? 0) + timeDeltas[index]!);
  }
}
