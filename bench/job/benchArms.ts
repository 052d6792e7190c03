import { join } from 'node:path';
import type { BareResult } from './bareSession.ts';
import type { Scorer } from './benchBundle.ts';
import type { Peer } from './benchOptions.ts';
import { measureProcess } from './measureProcess.ts';

/** What a round of an arm took. */
export interface Round {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Absent where memory says nothing. */
  readonly peakBytes?: number;
}

/** One of the programs that are compared, with a number of threads. */
export interface Arm {
  readonly name: string;
  readonly threads: number;
  /** Where it leaves its scores; absent for the bare session. */
  readonly output?: string;
  readonly run: () => Promise<Round>;
}

interface ArmCase {
  /** Folder of the shards. */
  readonly input: string;
  readonly rows: number;
  /** Folder for scores. */
  readonly outputs: string;
}

export function commandArm(
  name: string,
  { cli, bundle }: Scorer,
  threads: number,
  { input, outputs }: ArmCase,
): Arm {
  const output = join(outputs, `${name.replaceAll(' ', '-')}-${threads}`);
  const args = [
    'score',
    '--model',
    bundle,
    '--input',
    input,
    '--output',
    output,
    '--workers',
    String(threads),
  ];
  return { name, threads, output, run: () => measureProcess([process.execPath, cli, ...args]) };
}

/** @param python executable of the peers' environment @param model the plain export */
export function peerArm(
  peer: Peer,
  threads: number,
  { python, script, model, bundle }: PeerFiles,
  { input, outputs }: ArmCase,
): Arm {
  const output = join(outputs, `${peer}-${threads}`);
  const command = [python, script, peer, model, bundle, input, output, String(threads)];
  return { name: `${peer} + onnxruntime`, threads, output, run: () => measureProcess(command) };
}

export interface PeerFiles {
  readonly python: string;
  readonly script: string;
  readonly model: string;
  readonly bundle: string;
}

/** A session of our own model on tensors that are ready: nothing that scores with onnxruntime uses less. */
export function bareArm(
  name: string,
  threads: number,
  { script, bundle, feeds }: { readonly script: string; readonly bundle: string; readonly feeds: string },
  { rows }: ArmCase,
): Arm {
  const command = [
    process.execPath,
    script,
    join(bundle, 'model.onnx'),
    feeds,
    String(rows),
    String(threads),
  ];
  const run = async (): Promise<Round> => {
    const { stdout } = await measureProcess(command);
    const { cpuSeconds, wallSeconds, rows: scored } = JSON.parse(stdout) as BareResult;
    // Whole batches only: a few rows more than asked for.
    return { cpuSeconds: (cpuSeconds * rows) / scored, wallSeconds: (wallSeconds * rows) / scored };
  };
  return { name, threads, run };
}
