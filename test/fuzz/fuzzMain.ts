// Tries mutants in processes of their own, so that one that hangs or takes the memory is found too: `npm run test:fuzz`.
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundleTarget } from './bundleTarget.ts';
import { documentTarget } from './documentTarget.ts';
import type { FuzzTarget, Outcome } from './fuzzCase.ts';
import { LONGEST_MILLIS, saveCase, Tally, type TriedCase, tryCase } from './runCases.ts';
import { shardTarget } from './shardTarget.ts';

const TARGETS: readonly FuzzTarget[] = [shardTarget, documentTarget, bundleTarget];
/** After a panic, scoring starts a new thread; a process here is good for a few. */
const PANICS_PER_PROCESS = 1;
/** After so long a case is looked at: has it had its time of the processor? */
const PATIENCE_MILLIS = 3 * LONGEST_MILLIS;
/** Looks after which it is ended even so; where nobody knows its time, as without /proc, after the first. */
const MOST_LOOKS = 20;
/** Training a model takes seconds, and on a machine under load minutes. */
const PREPARATION_MILLIS = 600_000;
/** Of the counts in /proc. */
const TICK_MILLIS = 10;

/** What a child says before its first case. */
const PREPARED = 'prepared';

interface Range {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly end: number;
}

const { values } = parseArgs({
  options: {
    shards: { type: 'string', default: '10000' },
    documents: { type: 'string', default: '2000' },
    bundles: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
    /** Of a child: a range of cases; with `save`, the first is written down and not tried. */
    range: { type: 'string' },
    save: { type: 'string' },
  },
});

if (values.range === undefined) await runAll();
else await runRange(JSON.parse(values.range) as Range, values.save);

async function runAll(): Promise<void> {
  const seed = Number(values.seed);
  const failed = mkdtempSync(join(tmpdir(), 'ncs4cvr-fuzz-'));
  let failures = 0;
  for (const { name } of TARGETS) {
    const startMillis = performance.now();
    const tally = new Tally();
    const end = Number(values[name as 'shards']);
    for (let from = 0; from < end; ) from = await runInChild({ target: name, seed, from, end }, tally);
    const seconds = Math.round((performance.now() - startMillis) / 1000);
    process.stdout.write(`${name}, seed ${seed}, ${seconds} s: ${tally.text}\n`);
    for (const { index, name: what, outcome } of tally.failures) {
      const path = join(failed, name);
      fork(fileURLToPath(import.meta.url), [
        `--range=${JSON.stringify({ target: name, seed, from: index, end: index + 1 })}`,
        `--save=${path}`,
      ]);
      const { reason } = outcome as Extract<Outcome, { kind: 'failed' }>;
      process.stdout.write(`FAILED ${name} ${index} (${path}/case-${index}), ${what}: ${reason}\n`);
    }
    failures += tally.failures.length;
  }
  if (failures > 0) process.exitCode = 1;
  else rmSync(failed, { recursive: true });
}

/** @returns the case to go on with */
function runInChild(range: Range, tally: Tally): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), [`--range=${JSON.stringify(range)}`]);
  let next = range.from;
  let isPrepared = false;
  return new Promise((resolve, reject) => {
    const preparation = setTimeout(() => child.kill('SIGKILL'), PREPARATION_MILLIS);
    let stopLooking = () => {};
    child.on('message', (tried: TriedCase | typeof PREPARED) => {
      clearTimeout(preparation);
      stopLooking();
      stopLooking = endWhenHung(child);
      isPrepared = true;
      if (tried === PREPARED) return;
      tally.add(tried);
      next = tried.index + 1;
    });
    child.on('exit', (code, signal) => {
      clearTimeout(preparation);
      stopLooking();
      if (code !== 0 && !isPrepared) {
        reject(new Error(`${range.target} can't be prepared`));
        return;
      }
      if (code !== 0) {
        const reason = signal === 'SIGKILL' ? 'hung, or was killed for its memory' : `exit ${code ?? signal}`;
        tally.add({
          index: next,
          name: 'process',
          outcome: { kind: 'failed', reason },
          peakBytes: 0,
          isWornOut: true,
        });
        next++;
      }
      resolve(next);
    });
  });
}

/** @returns stops it: the case has ended */
function endWhenHung(child: ChildProcess): () => void {
  const startedMillis = processorMillis(child);
  let looks = 0;
  const timer = setInterval(() => {
    const millis = processorMillis(child) - startedMillis;
    if (millis < LONGEST_MILLIS && ++looks < MOST_LOOKS) return;
    child.kill('SIGKILL');
  }, PATIENCE_MILLIS);
  return () => clearInterval(timer);
}

/** Of all its threads, as far as the system says; endless where it doesn't. */
function processorMillis({ pid }: ChildProcess): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The 14th and the 15th field; the second one, a name in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return TICK_MILLIS * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

async function runRange({ target, seed, from, end }: Range, save: string | undefined): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ncs4cvr-fuzz-'));
  try {
    const caseOf = await TARGETS.find(({ name }) => name === target)!.prepare(folder, seed);
    if (save !== undefined) {
      saveCase(caseOf(from), save, from);
      return;
    }
    process.send!(PREPARED);
    let panics = 0;
    for (let index = from; index < end && panics < PANICS_PER_PROCESS; index++) {
      const tried = await tryCase(caseOf, index);
      await new Promise((resolve) => process.send!(tried, resolve));
      const { outcome } = tried;
      if (outcome.kind === 'refused' && outcome.code === 'SHARD_DECODER_PANIC') panics++;
      if (tried.isWornOut) break;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
