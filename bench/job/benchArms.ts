import { join } from 'node:path';
import type { BareResult } from './bareSession.ts';
import type { Scorer } from './benchBundle.ts';
import type { Peer, PeerGraph } from './benchOptions.ts';
import { measureProcess } from './measureProcess.ts';

/** What a round of an arm took. */
export interface Round {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Absent where memory says nothing. */
  readonly peakBytes?: number;
}

/** How an arm is called in tables and in the result. */
export const OURS = 'ncs4cvr';
export const OURS_INT8 = 'ncs4cvr int8';
export const BARE = 'bare session';
export const BARE_INT8 = 'bare session int8';
/** Of the same network as one graph, its embeddings within. */
export const BARE_WHOLE = 'bare session, whole graph';
export const BARE_WHOLE_INT8 = 'bare session, whole graph int8';

/** One of the programs that are compared, with a number of threads. */
export interface Arm {
  readonly name: string;
  readonly threads: number;
  /** Where it leaves its scores; absent for the bare session. */
  readonly output?: string;
  /** How far its scores may lie from those of our command; absent where they are of another model. */
  readonly tolerance?: number;
  readonly run: () => Promise<Round>;
}

export interface ArmCase {
  /** Folder of the shards. */
  readonly input: string;
  readonly rows: number;
  /** Folder for scores. */
  readonly outputs: string;
}

/** Largest accepted difference between our scores and a peer's, which sum in another order. */
const PEER_TOLERANCE = 1e-6;

export function commandArm(
  name: string,
  { cli, bundle }: Scorer,
  threads: number,
  { input, outputs }: ArmCase,
): Arm {
  const output = join(outputs, `${name.replaceAll(' ', '-')}-${threads}`);
  const args = ['score', '--model', bundle, '--input', input, '--output', output];
  const command = [process.execPath, cli, ...args, '--workers', String(threads)];
  const arm = { name, threads, output, run: () => measureProcess(command) };
  // The same bits with any number of workers.
  return name === OURS ? { ...arm, tolerance: 0 } : arm;
}

export interface PeerFiles {
  /** Executable of the peers' environment. */
  readonly python: string;
  readonly script: string;
  readonly graph: PeerGraph;
  /** The graph's file. */
  readonly model: string;
  readonly bundle: string;
}

export function peerArm(
  peer: Peer,
  threads: number,
  { python, script, graph, model, bundle }: PeerFiles,
  { input, outputs }: ArmCase,
): Arm {
  const output = join(outputs, `${peer}-${graph}-${threads}`);
  const command = [python, script, peer, model, bundle, input, output, String(threads)];
  return {
    name: `${peer} + onnxruntime, ${graph} graph`,
    threads,
    output,
    tolerance: PEER_TOLERANCE,
    run: () => measureProcess(command),
  };
}

/** Sessions of one model, one per thread, on tensors that are ready: nothing that scores with it uses less. */
export function bareArm(
  name: string,
  threads: number,
  { script, model, feeds }: { readonly script: string; readonly model: string; readonly feeds: string },
  { rows }: ArmCase,
): Arm {
  const command = [process.execPath, script, model, feeds, String(rows), String(threads)];
  const run = async (): Promise<Round> => {
    const { stdout } = await measureProcess(command);
    const { cpuSeconds, wallSeconds, rows: scored } = JSON.parse(stdout) as BareResult;
    // Whole batches only: a few rows more than asked for.
    return { cpuSeconds: (cpuSeconds * rows) / scored, wallSeconds: (wallSeconds * rows) / scored };
  };
  return { name, threads, run };
}
