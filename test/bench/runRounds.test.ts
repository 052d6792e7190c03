import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeVector, Table } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import type { Arm } from '../../bench/job/benchArms.ts';
import { runRounds } from '../../bench/job/runRounds.ts';
import { encodeGoldenRows } from '../../lib/bundle/writeBundle.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();
let count = 0;

/** An arm that writes these scores, and the list that tells when it ran. */
function scoringArm(name: string, scores: readonly number[], tolerance: number, ran: string[]): Arm {
  const output = join(folder, String(count++));
  const run = async () => {
    ran.push(name);
    const [batch] = new Table({ key: makeVector(BigInt64Array.from(scores.keys(), BigInt)) }).batches;
    // apache-arrow writes an array once that two columns share.
    const [pctr, pcvr] = [Float32Array.from(scores), Float32Array.from(scores)];
    mkdirSync(output);
    writeFileSync(join(output, 'shard.arrow'), encodeGoldenRows(batch!, { pctr, pcvr }));
    return { cpuSeconds: ran.length, wallSeconds: 1, peakBytes: 1 };
  };
  return { name, threads: 1, output, tolerance, run };
}

describe('runRounds', () => {
  test('a peer whose scores differ ends the benchmark before anything is measured', async () => {
    const ran: string[] = [];
    const arms = [
      scoringArm('ours', [0.25, 0.5], 0, ran),
      scoringArm('peer', [0.25, 0.5 + 2 ** -19], 1e-6, ran),
    ];
    await expect(runRounds([arms], 2, 'key')).rejects.toThrow('peer with 1 threads: scores differ by up to');
    expect(ran).toEqual(['ours', 'peer']);
  });

  test('a difference within the tolerance is told, and none is allowed between numbers of workers', async () => {
    const near = [0.25, 0.5 + 2 ** -21];
    const arms = () => [scoringArm('ours', [0.25, 0.5], 0, []), scoringArm('other', near, 1e-6, [])];
    const [results] = await runRounds([arms()], 1, 'key');
    expect(results!.map(({ largestDifference }) => largestDifference)).toEqual([0, 2 ** -21]);
    const strict = arms().map((each) => ({ ...each, tolerance: 0 }));
    await expect(runRounds([strict], 1, 'key')).rejects.toThrow('other');
  });

  test('all cases take turns, there and back; the first round is not among the results', async () => {
    const ran: string[] = [];
    const cases = ['small', 'large'].map((size) => [
      scoringArm(`ours ${size}`, [0.5], 0, ran),
      scoringArm(`peer ${size}`, [0.5], 0, ran),
    ]);
    const results = await runRounds(cases, 2, 'key');
    const there = ['ours small', 'peer small', 'ours large', 'peer large'];
    expect(ran).toEqual([...there, ...there, ...there.toReversed()]);
    expect(results.map((arms) => arms.map(({ name }) => name))).toEqual([there.slice(0, 2), there.slice(2)]);
    const turns = results.flat().map(({ rounds }) => rounds.map(({ cpuSeconds }) => cpuSeconds));
    expect(turns).toEqual([
      [5, 12],
      [6, 11],
      [7, 10],
      [8, 9],
    ]);
  });

  test('no scores are left on the disk', async () => {
    const arms = [scoringArm('ours', [0.5], 0, []), scoringArm('peer', [0.5], 0, [])];
    await runRounds([arms], 1, 'key');
    expect(arms.map(({ output }) => existsSync(output!))).toEqual([false, false]);
  });
});
