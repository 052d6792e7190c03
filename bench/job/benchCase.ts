import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Arm, bareArm, commandArm, type PeerFiles, peerArm, type Round } from './benchArms.ts';
import {
  type BenchPlaces,
  int8Scorer,
  plainModel,
  type Scorer,
  scorerOf,
  trainingData,
} from './benchBundle.ts';
import type { BenchOptions } from './benchOptions.ts';
import { largestDifference } from './compareScores.ts';
import { type ContractName, configOf } from './contractConfigs.ts';
import { makeInput } from './makeInputs.ts';
import { measureProcess } from './measureProcess.ts';
import { type Stage, stageShares } from './stageShares.ts';

/** Largest accepted difference between our scores and a peer's, which sum in another order. */
const SCORE_TOLERANCE = 1e-6;

export interface CaseSettings {
  readonly contract: ContractName;
  readonly rows: number;
  readonly rowGroupRows: number;
}

export interface ArmResult {
  readonly name: string;
  readonly threads: number;
  /** Of each round, in order; the warm-up isn't among them. */
  readonly rounds: readonly Round[];
  /** To our scores; absent for arms that have none, and for those of another bundle. */
  readonly largestDifference?: number;
}

export interface CaseResult extends CaseSettings {
  readonly source: 'real' | 'made-up';
  readonly arms: readonly ArmResult[];
  /** Of our command with one worker, by a run of its own under V8's profiler. */
  readonly stages: Readonly<Record<Stage, number>>;
}

/** Runs every arm once per round, each in a process of its own, one after the other. */
export async function runCase(
  settings: CaseSettings,
  options: BenchOptions,
  places: BenchPlaces,
  python: string | undefined,
): Promise<CaseResult> {
  const { contract, rows, rowGroupRows } = settings;
  const { project, work } = places;
  const config = configOf(contract, project);
  const realDays = contract === 'kuairand' ? places.realDays : undefined;
  const source = realDays === undefined ? 'made-up' : 'real';
  const ours = scorerOf(project, contract, config, options.models[contract], places);
  const input = join(work, 'inputs', `${contract}-${source}-${rows}-${rowGroupRows}`);
  makeInput(input, { config, realDays, rows, rowGroupRows });
  const outputs = join(work, 'scores');
  rmSync(outputs, { recursive: true, force: true });
  mkdirSync(outputs, { recursive: true });

  const feeds = join(work, 'feeds');
  await recordFeeds(ours, input, feeds, join(outputs, 'recorded'), work);
  const stages = await profileStages(ours, input, join(work, 'profiles'), join(outputs, 'profiled'));
  const armCase = { input, rows, outputs };
  const arms: Arm[] = [];
  const peers: PeerFiles | undefined =
    python === undefined || options.peers.length === 0
      ? undefined
      : {
          python,
          script: join(project, 'bench/peers/score.py'),
          model: plainModel(ours, work),
          bundle: ours.bundle,
        };
  const before =
    options.before === undefined ? undefined : scorerOf(options.before, contract, config, undefined, places);
  const int8 = options.int8
    ? int8Scorer(ours, trainingData(contract, config, { work, realDays }), work)
    : undefined;
  for (const threads of options.threads) {
    arms.push(commandArm('ncs4cvr', ours, threads, armCase));
    if (int8 !== undefined) arms.push(commandArm('ncs4cvr int8', int8, threads, armCase));
    if (before !== undefined) arms.push(commandArm('ncs4cvr before', before, threads, armCase));
    const script = join(work, 'bareSession.mjs');
    arms.push(bareArm('bare session', threads, { script, bundle: ours.bundle, feeds }, armCase));
    if (peers === undefined) continue;
    for (const peer of options.peers) arms.push(peerArm(peer, threads, peers, armCase));
  }
  return {
    ...settings,
    source,
    stages,
    arms: await runRounds(arms, options.rounds, config.contract.rowKeys[0]!),
  };
}

async function runRounds(arms: readonly Arm[], rounds: number, rowKey: string): Promise<ArmResult[]> {
  const measured = arms.map((): Round[] => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [index, arm] of arms.entries()) {
      if (arm.output !== undefined) rmSync(arm.output, { recursive: true, force: true });
      const taken = await arm.run();
      // The first round fills the disk's cache.
      if (round > 0) measured[index]!.push(taken);
    }
  }
  const ours = arms.find(({ name }) => name === 'ncs4cvr')!;
  return arms.map(({ name, threads, output }, index) => {
    const result = { name, threads, rounds: measured[index]! };
    if (output === undefined || name === 'ncs4cvr before' || name.includes('int8')) return result;
    const difference = largestDifference(ours.output!, output, rowKey);
    const tolerance = name === ours.name ? 0 : SCORE_TOLERANCE;
    if (difference <= tolerance) return { ...result, largestDifference: difference };
    throw new Error(`${name} with ${threads} threads: scores differ by up to ${difference}`);
  });
}

async function recordFeeds(
  { cli, bundle }: Scorer,
  input: string,
  feeds: string,
  output: string,
  work: string,
) {
  const args = ['score', '--model', bundle, '--input', input, '--output', output, '--workers', '1'];
  const hook = ['--import', join(work, 'recordFeeds.mjs')];
  await measureProcess([process.execPath, ...hook, cli, ...args], { FEEDS: feeds });
}

async function profileStages({ cli, bundle }: Scorer, input: string, folder: string, output: string) {
  rmSync(folder, { recursive: true, force: true });
  const args = ['score', '--model', bundle, '--input', input, '--output', output, '--workers', '1'];
  const profiler = ['--cpu-prof', `--cpu-prof-dir=${folder}`];
  await measureProcess([process.execPath, ...profiler, cli, ...args]);
  return stageShares(folder);
}
