import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { BenchOptions, PeerGraph } from './benchOptions.ts';
import type { ConfigDocument, ContractName } from './contractConfigs.ts';
import { makeTrainingDays } from './makeInputs.ts';

/** A command that scores, and what it scores with. */
export interface Scorer {
  /** The built command's script. */
  readonly cli: string;
  readonly bundle: string;
}

export interface BenchPlaces {
  /** Folder of the checkout. */
  readonly project: string;
  /** Where everything that the benchmark makes lies. */
  readonly work: string;
  /** Real days of the KuaiRand contract; undefined when they aren't there. */
  readonly realDays: string | undefined;
}

/** Where the graph as trained lies: beside its bundle, which doesn't hold it. */
export const trainedGraphOf = (bundle: string): string => `${resolve(bundle)}-trained.onnx`;

/**
 * The command of a built checkout with its bundle of a contract, which is trained once per version of the code. Beside that of
 * the project's own checkout lies the graph as trained.
 */
export function scorerOf(
  checkout: string,
  name: ContractName,
  config: ConfigDocument,
  given: BenchOptions['models'][ContractName],
  { project, work, realDays }: BenchPlaces,
): Scorer {
  const cli = join(checkout, 'dist/lib/cli/main.js');
  if (!existsSync(cli)) throw new Error(`${cli} isn't there: run npm run build in ${checkout}`);
  if (given !== undefined) return { cli, bundle: given };
  const version = execFileSync(process.execPath, [cli, '--version'], { encoding: 'utf8' }).trim();
  const source = name === 'kuairand' && realDays !== undefined ? 'real' : 'made-up';
  const bundle = join(work, 'bundles', `${name}-${source}-${version}`);
  const isOwn = checkout === project;
  const isThere = existsSync(join(bundle, 'bundle.json')) && (!isOwn || existsSync(trainedGraphOf(bundle)));
  if (isThere) return { cli, bundle };
  const data = trainingData(name, config, { work, realDays });
  const file = join(work, 'training', `${name}.json`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(config));
  rmSync(bundle, { recursive: true, force: true });
  console.log(`Training the ${name} model (${source} days) ...`);
  const train = isOwn
    ? [join(work, 'trainBundle.mjs'), file, data, bundle]
    : [cli, 'train', file, '--data', data, '--output', bundle];
  execFileSync(process.execPath, train, { stdio: ['ignore', 'ignore', 'inherit'] });
  return { cli, bundle };
}

/** Folder of the days that a contract's bundles are trained on: real ones, or made up where there are none. */
export function trainingData(
  name: ContractName,
  config: ConfigDocument,
  { work, realDays }: Pick<BenchPlaces, 'work' | 'realDays'>,
): string {
  if (name === 'kuairand' && realDays !== undefined) return realDays;
  const data = join(work, 'training', name);
  makeTrainingDays(data, config, daysOf(config));
  return data;
}

/** All days that a config trains on, validates on or reports. */
function daysOf({ split }: ConfigDocument): string[] {
  const ranges = Object.values(split as Record<string, string | { from: string; to: string }>).filter(
    (each) => typeof each !== 'string',
  );
  const [first, last] = [
    ranges.map(({ from }) => from).sort()[0]!,
    ranges
      .map(({ to }) => to)
      .sort()
      .at(-1)!,
  ];
  const days: string[] = [];
  for (let at = Date.parse(first); at <= Date.parse(last); at += 86_400_000) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days;
}

/**
 * One ONNX file that takes row ids, for the peers.
 * @throws Error for a given bundle that hasn't the graph as trained beside it
 */
export function peerModel(graph: PeerGraph, scorer: Scorer, work: string): string {
  if (graph === 'trained') {
    const file = trainedGraphOf(scorer.bundle);
    if (existsSync(file)) return file;
    throw new Error(`${file} isn't there: give the graph as trained, or --peer-graph cleaned`);
  }
  const file = join(work, 'cleaned.onnx');
  writePlainGraph(scorer, file);
  return file;
}

/** A bundle's model with its embeddings as one ONNX file that takes row ids. */
export function writePlainGraph({ cli, bundle }: Scorer, file: string): void {
  rmSync(file, { force: true });
  execFileSync(process.execPath, [cli, 'export', bundle, '--plain', file], { stdio: 'ignore' });
}

/** The same command with its bundle exported in 8-bit integers, unless it is there. @param data what the bundle was trained on */
export function int8Scorer({ cli, bundle }: Scorer, data: string, work: string): Scorer {
  const output = join(work, 'bundles', `${basename(bundle)}-int8`);
  if (existsSync(join(output, 'bundle.json'))) return { cli, bundle: output };
  rmSync(output, { recursive: true, force: true });
  const args = ['export', bundle, '--int8', '--tables', 'int8', '--data', data, '--output', output];
  console.log(execFileSync(process.execPath, [cli, ...args], { encoding: 'utf8' }).trim());
  return { cli, bundle: output };
}
