import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CaseOf, FuzzCase, Outcome } from './fuzzCase.ts';

/** What a case may take on a machine that has other things to do as well. */
export const LONGEST_MILLIS = 10_000;
/** Of the whole process: Node, the model and the decoder take a quarter of it before the first mutant. */
const MOST_MEMORY_BYTES = 2 * 2 ** 30;
/** The peak of a process never falls: above this, the cases to come need a process of their own to be judged by themselves. */
const WORN_OUT_BYTES = 2 ** 30;

export interface TriedCase {
  readonly index: number;
  readonly name: string;
  readonly outcome: Outcome;
  /** Of the process so far. */
  readonly peakBytes: number;
  /** No further case may be judged in this process. */
  readonly isWornOut: boolean;
}

/** Tries one case, with bounds on time and memory. */
export async function tryCase(caseOf: CaseOf, index: number): Promise<TriedCase> {
  const { name, run } = caseOf(index);
  const before = process.cpuUsage();
  let outcome: Outcome;
  try {
    outcome = await run();
  } catch (error) {
    outcome = { kind: 'failed', reason: `the case itself: ${error instanceof Error ? error.stack : error}` };
  }
  const { user, system } = process.cpuUsage(before);
  const millis = (user + system) / 1000;
  const peakBytes = process.resourceUsage().maxRSS * 1024;
  if (millis > LONGEST_MILLIS) outcome = { kind: 'failed', reason: `took ${Math.round(millis)} ms` };
  else if (peakBytes > MOST_MEMORY_BYTES) {
    outcome = { kind: 'failed', reason: `took ${Math.round(peakBytes / 2 ** 20)} MiB (${outcome.kind})` };
  }
  const isWornOut = outcome.kind === 'failed' || peakBytes > WORN_OUT_BYTES;
  return { index, name, outcome, peakBytes, isWornOut };
}

/** Writes a mutant down. @returns where */
export function saveCase({ bytes }: FuzzCase, folder: string, index: number): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `case-${index}`);
  writeFileSync(path, bytes);
  return path;
}

/** Counts of outcomes, as a report tells them. */
export class Tally {
  tried = 0;
  equal = 0;
  peakBytes = 0;
  readonly refused = new Map<string, number>();
  readonly otherValues = new Map<string, number>();
  readonly failures: TriedCase[] = [];

  add(tried: TriedCase): void {
    this.tried++;
    const { outcome, peakBytes } = tried;
    this.peakBytes = Math.max(this.peakBytes, peakBytes);
    const count = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
    if (outcome.kind === 'equal') this.equal++;
    else if (outcome.kind === 'refused') count(this.refused, outcome.code);
    else if (outcome.kind === 'otherValues') count(this.otherValues, outcome.where);
    else this.failures.push(tried);
  }

  get text(): string {
    const total = (counts: ReadonlyMap<string, number>) =>
      [...counts.values()].reduce((sum, n) => sum + n, 0);
    const lines = (counts: ReadonlyMap<string, number>) =>
      [...counts].sort(([, a], [, b]) => b - a).map(([key, n]) => `  ${String(n).padStart(6)} ${key}`);
    return [
      `${this.tried} tried: ${total(this.refused)} refused, ${this.equal} equal, ` +
        `${total(this.otherValues)} other values that nothing could tell, ${this.failures.length} failures; at most ${Math.round(this.peakBytes / 2 ** 20)} MiB`,
      ...lines(this.refused),
      ...lines(this.otherValues),
    ].join('\n');
  }
}
