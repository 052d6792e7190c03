import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Arm,
  type ArmCase,
  BARE,
  BARE_INT8,
  BARE_WHOLE,
  BARE_WHOLE_INT8,
  bareArm,
  commandArm,
  OURS,
  OURS_INT8,
  type PeerFiles,
  peerArm,
  type Round,
} from './benchArms.ts';
import {
  type BenchPlaces,
  int8Scorer,
  peerModel,
  type Scorer,
  scorerOf,
  trainingData,
  writePlainGraph,
} from './benchBundle.ts';
import type { BenchOptions } from './benchOptions.ts';
import { type CaseRatios, caseRatios } from './caseRatios.ts';
import { type ConfigDocument, type ContractName, configOf } from './contractConfigs.ts';
import { makeInput } from './makeInputs.ts';
import { measureProcess } from './measureProcess.ts';
import { runRounds } from './runRounds.ts';
import { type Stage, stageShares } from './stageShares.ts';

interface CaseSettings {
  readonly contract: ContractName;
  readonly rows: number;
  readonly rowGroupRows: number;
}

export interface ArmResult {
  readonly name: string;
  readonly threads: number;
  /** Of each round, in order; the warm-up isn't among them. */
  readonly rounds: readonly Round[];
  /** To our scores; absent for arms that have none, and for those of another model. */
  readonly largestDifference?: number;
}

export interface CaseResult extends CaseSettings {
  readonly source: 'real' | 'made-up';
  readonly arms: readonly ArmResult[];
  readonly ratios: CaseRatios;
  /** Of our command with one worker, by a run of its own under V8's profiler. */
  readonly stages: Readonly<Record<Stage, number>>;
}

/** What scores the rows of a contract. */
interface Scorers {
  readonly ours: Scorer;
  readonly int8: Scorer | undefined;
  readonly before: Scorer | undefined;
  readonly peers: readonly PeerFiles[];
}

/** A case of which nothing has been measured yet. */
interface Prepared {
  readonly settings: CaseSettings;
  readonly stages: CaseResult['stages'];
  readonly arms: readonly Arm[];
}

/**
 * Runs every arm on every number of rows once per round, each in a process of its own, one after the other.
 * @param rowGroupRows of an input that has as many rows
 * @returns a case for each of `options.rows`
 */
export async function runCases(
  contract: ContractName,
  rowGroupRows: number,
  options: BenchOptions,
  places: BenchPlaces,
  python: string | undefined,
): Promise<CaseResult[]> {
  const { project, work } = places;
  const config = configOf(contract, project);
  const realDays = contract === 'kuairand' ? places.realDays : undefined;
  const source = realDays === undefined ? 'made-up' : 'real';
  const scorers = findScorers(contract, config, options, { ...places, realDays }, python);
  const scores = join(work, 'scores');
  rmSync(scores, { recursive: true, force: true });
  const prepared: Prepared[] = [];
  for (const rows of options.rows) {
    const settings = { contract, rows, rowGroupRows: Math.min(rowGroupRows, rows) };
    const input = join(work, 'inputs', `${contract}-${source}-${rows}-${settings.rowGroupRows}`);
    makeInput(input, { config, realDays, rows, rowGroupRows: settings.rowGroupRows });
    const outputs = join(scores, String(rows));
    mkdirSync(outputs, { recursive: true });
    // Batches are the same for any number of rows.
    if (prepared.length === 0) await recordAllFeeds(scorers, input, work);
    const stages = await profileStages(
      scorers.ours,
      input,
      join(work, 'profiles'),
      join(outputs, 'profiled'),
    );
    prepared.push({ settings, stages, arms: armsOf(scorers, { input, rows, outputs }, options, work) });
  }
  const rowKey = config.contract.rowKeys[0]!;
  const measured = await runRounds(
    prepared.map(({ arms }) => arms),
    options.rounds,
    rowKey,
  );
  return prepared.map(({ settings, stages }, index) => {
    const arms = measured[index]!;
    return { ...settings, source, stages, arms, ratios: caseRatios(arms) };
  });
}

function findScorers(
  contract: ContractName,
  config: ConfigDocument,
  options: BenchOptions,
  places: BenchPlaces,
  python: string | undefined,
): Scorers {
  const { project, work } = places;
  const ours = scorerOf(project, contract, config, options.models[contract], places);
  const script = join(project, 'bench/peers/score.py');
  const graphs = python === undefined || options.peers.length === 0 ? [] : options.peerGraphs;
  return {
    ours,
    int8: options.int8 ? int8Scorer(ours, trainingData(contract, config, places), work) : undefined,
    before:
      options.before === undefined
        ? undefined
        : scorerOf(options.before, contract, config, undefined, places),
    peers: graphs.map((graph) => {
      const model = peerModel(graph, ours, work);
      return { python: python!, script, graph, model, bundle: ours.bundle };
    }),
  };
}

function armsOf(
  { ours, int8, before, peers }: Scorers,
  armCase: ArmCase,
  options: BenchOptions,
  work: string,
): Arm[] {
  const script = join(work, 'bareSession.mjs');
  const bare = (name: string, threads: number, model: string) =>
    bareArm(name, threads, { script, model, feeds: feedsOf(name, work) }, armCase);
  return options.threads.flatMap((threads) => [
    commandArm(OURS, ours, threads, armCase),
    bare(BARE, threads, join(ours.bundle, 'model.onnx')),
    bare(BARE_WHOLE, threads, wholeGraphOf(BARE_WHOLE, work)),
    ...(int8 === undefined
      ? []
      : [
          commandArm(OURS_INT8, int8, threads, armCase),
          bare(BARE_INT8, threads, join(int8.bundle, 'model.onnx')),
          bare(BARE_WHOLE_INT8, threads, wholeGraphOf(BARE_WHOLE_INT8, work)),
        ]),
    ...(before === undefined ? [] : [commandArm(`${OURS} before`, before, threads, armCase)]),
    ...peers.flatMap((files) => options.peers.map((peer) => peerArm(peer, threads, files, armCase))),
  ]);
}

/** Of what an arm's sessions are given. */
const feedsOf = (arm: string, work: string): string => join(work, `feeds-${arm.replaceAll(/\W+/g, '-')}`);

/** The model of an arm, with its embeddings. */
const wholeGraphOf = (arm: string, work: string): string => `${feedsOf(arm, work)}.onnx`;

/** Every session gets what its own command gives to it; those of whole graphs the same rows, encoded. */
async function recordAllFeeds({ ours, int8 }: Scorers, input: string, work: string): Promise<void> {
  const output = join(work, 'scores/recorded');
  const recorded = [
    [BARE, BARE_WHOLE, ours],
    [BARE_INT8, BARE_WHOLE_INT8, int8],
  ] as const;
  for (const [arm, wholeArm, scorer] of recorded) {
    if (scorer === undefined) continue;
    const { cli, bundle } = scorer;
    const args = ['score', '--model', bundle, '--input', input, '--output', output, '--workers', '1'];
    const hook = ['--import', join(work, 'recordFeeds.mjs')];
    await measureProcess([process.execPath, ...hook, cli, ...args], { FEEDS: feedsOf(arm, work) });
    rmSync(output, { recursive: true });
    writePlainGraph(scorer, wholeGraphOf(wholeArm, work));
    const recorder = [process.execPath, join(work, 'recordRows.mjs')];
    await measureProcess([...recorder, bundle, input, feedsOf(wholeArm, work)]);
  }
}

async function profileStages({ cli, bundle }: Scorer, input: string, folder: string, output: string) {
  rmSync(folder, { recursive: true, force: true });
  const args = ['score', '--model', bundle, '--input', input, '--output', output, '--workers', '1'];
  const profiler = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  await measureProcess([process.execPath, ...profiler, cli, ...args]);
  rmSync(output, { recursive: true });
  return stageShares(folder);
}
