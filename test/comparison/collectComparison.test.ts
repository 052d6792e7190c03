import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromArrays, tableToIPC } from 'apache-arrow';
import { beforeAll, describe, expect, it } from 'vitest';
import { CODE_VERSION } from '../../lib/base/codeVersion.ts';
import { RandomStream } from '../../lib/base/randomStream.ts';
import { ARMS } from '../../lib/comparison/arms.ts';
import { collectComparison, summarise } from '../../lib/comparison/collectComparison.ts';
import { pairedDifference, resampleAucs } from '../../lib/comparison/pairedDifference.ts';
import { type ReportLabels, refuseEqualLabels } from '../../lib/comparison/reportRows.ts';
import {
  type ArmRunRecord,
  type ReportScores,
  readReportScores,
  readRunRecord,
  runFolder,
  scoresFile,
  writeRunRecord,
} from '../../lib/comparison/runFolder.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const output = temporaryFolder();
const random = new RandomStream(3);
const draw = (count: number) => Float32Array.from({ length: count }, () => random.nextUniform());
// Rows 2 to 30 of a shard of 40, then 0 to 20 of one of 20: 48 to report on.
const report = [
  { uri: 'a.parquet', rowStart: 2, rowEnd: 30 },
  { uri: 'b.parquet', rowStart: 0, rowEnd: 20 },
];
const shardRows = [40, 20];
const split = {
  uri: 'data',
  ...{ training: [], validation: [], report, notes: [], listing: [] },
  ...{ trainingText: 'days 1', validationText: 'day 2', reportText: 'day 3' },
};
const click = Uint8Array.from({ length: 48 }, (_, row) => (row % 3 === 0 ? 0 : 1));
const labels: ReportLabels = {
  click,
  conversion: Float32Array.from(click, (clicked, row) => clicked * (row % 2)),
  users: undefined,
};
const scores = new Map<string, ReportScores>();

async function writeRun(arm: string, seed: number, over: Partial<ArmRunRecord>): Promise<void> {
  const shards = shardRows.map((rows) => ({ pctr: draw(rows), pcvr: draw(rows) }));
  for (const [index, shard] of shards.entries()) {
    const file = scoresFile(runFolder(output, arm, seed), index);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, tableToIPC(tableFromArrays(shard), 'file'));
  }
  const reported = (name: 'pctr' | 'pcvr') =>
    Float32Array.from(
      report.flatMap(({ rowStart, rowEnd }, i) => [...shards[i]![name].subarray(rowStart, rowEnd)]),
    );
  scores.set(`${arm} ${seed}`, { pctr: reported('pctr'), pcvr: reported('pcvr') });
  await writeRunRecord(output, {
    ...{ arm, seed, metrics: { 'click.auc': seed / 4 }, validationScore: 0.7, trainingSeconds: 2 * seed },
    ...{ parameters: 100 + seed, embeddingParameters: 50, multiplyAddsPerRow: 70 + 5 * seed },
    curve: [{ step: 1, epoch: 0, clickAuc: 0.5, conversionAuc: null }],
    ...over,
  });
}
const finished = {
  ...{ dataUri: 'data', split, conversionLabel: 'bought', labels, output },
  ...{ names: ['ncs', 'mmoe'], seeds: [1, 2] },
};
const layer = {
  ...{ layer: 0, inputWidth: 2, outputWidth: 2, shared: 1, clickOnly: 1, conversionOnly: 1, dead: 1 },
  ...{ jaccard: 1 / 3, chanceJaccard: 1 / 3, unrelatedJaccard: null },
};

beforeAll(async () => {
  for (const seed of [1, 2]) {
    await writeRun('ncs', seed, { connections: [layer] });
    await writeRun('mmoe', seed, {});
  }
});

describe('finished runs', () => {
  it('are put together: what was compared, each arm over its seeds, each run of it', async () => {
    const comparison = await collectComparison(finished);
    expect(comparison).toMatchObject({
      ...{ formatVersion: 1, codeVersion: CODE_VERSION, data: 'data', conversionLabel: 'bought' },
      ...{ trainSplit: 'days 1', validationSplit: 'day 2', reportSplit: 'day 3' },
      ...{ reportRows: 48, reportClicks: 32, seeds: [1, 2], reference: 'ncs' },
    });
    expect(Object.keys(comparison.arms)).toEqual(['ncs', 'mmoe']);
    const { metrics, runs, ...costs } = comparison.arms.mmoe!;
    expect(costs).toEqual({
      description: ARMS.mmoe!.description,
      // Of 101 and 102, of 75 and 80.
      ...{ parameters: 102, embeddingParameters: 50, multiplyAddsPerRow: 78, trainingSeconds: 3 },
    });
    expect(metrics['click.auc']).toEqual({
      mean: 0.375,
      sd: expect.closeTo(Math.SQRT1_2 / 4, 12),
      values: [0.25, 0.5],
    });
    expect(metrics['ctcvr.auc']).toEqual({ mean: null, sd: null, values: [null, null] });
    const curve = [{ step: 1, epoch: 0, clickAuc: 0.5, conversionAuc: null }];
    const run = { seed: 2, trainingSeconds: 4, curve, validationScore: 0.7 };
    expect(runs[1]).toStrictEqual(run);
    expect(comparison.arms.ncs!.runs[1]).toEqual({ ...run, connections: [layer] });
  });

  it('give the differences of the reference and each other arm on the scores of the report rows', async () => {
    const { paired } = await collectComparison(finished);
    expect(Object.keys(paired)).toEqual(['mmoe']);
    for (const metric of ['click.auc', 'conversion.auc', 'ctcvr.auc'] as const) {
      const [ncs, mmoe] = ['ncs', 'mmoe'].map((arm) =>
        resampleAucs({ runs: [1, 2].map((seed) => scores.get(`${arm} ${seed}`)!), labels, metric, seed: 1 }),
      );
      expect(paired.mmoe![metric]).toEqual(pairedDifference(ncs!, mmoe!));
    }
  });

  it('without a row of scores are an error, as are those with a damaged record', async () => {
    const more = [report[0]!, { ...report[1]!, rowEnd: 21 }];
    const folder = runFolder(output, 'ncs', 1);
    await expect(readReportScores(folder, more)).rejects.toMatchObject({
      ...{ code: 'COMPARISON_RUN_INVALID', expected: '21 rows', found: '20' },
      location: { file: scoresFile(folder, 1) },
    });
    expect(await readRunRecord(output, 'ncs', 3)).toBeUndefined();
    const file = join(runFolder(output, 'mmoe', 2), 'run.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('"seed":2', '"seed":2.5'));
    await expect(readRunRecord(output, 'mmoe', 2)).rejects.toMatchObject({
      code: 'COMPARISON_RUN_INVALID',
      location: { file },
    });
    writeFileSync(file, text);
    expect(await readRunRecord(output, 'mmoe', 2)).toMatchObject({ arm: 'mmoe', seed: 2 });
  });
});

describe('report rows', () => {
  const refused = (clicks: number[], conversions: number[]) => () =>
    refuseEqualLabels(
      { click: Uint8Array.from(clicks), conversion: Float32Array.from(conversions), users: undefined },
      'data',
      split,
    );

  it('are refused with one class of clicks, or one class or share of conversions among the clicked', () => {
    expect(refused([0, 1, 1], [1, 0, 1])).not.toThrow();
    const error = (message: string, found: string) =>
      expect.objectContaining({
        ...{ code: 'COMPARISON_NO_REPORT', found },
        message: expect.stringContaining(message),
      });
    expect(refused([1, 1], [0, 1])).toThrow(error('by clicks', '2 of 2'));
    expect(refused([0, 0], [0, 1])).toThrow(error('by clicks', '0 of 2'));
    expect(refused([0, 1, 1], [0, 1, 1])).toThrow(error('by conversions', '2 of 2'));
    expect(refused([0, 1, 1], [1, 0, 0])).toThrow(error('by conversions', '0 of 2'));
    expect(refused([0, 1, 1], [1, 0.5, 0.5])).toThrow(error('by conversions', '1 of 2'));
    expect(refused([0, 1, 1], [1, 0.5, 0.25])).not.toThrow();
    expect(refused([1, 1], [0, 1])).toThrow(
      expect.objectContaining({ expected: 'clicks that differ in day 3' }),
    );
  });
});

it('a summary leaves out what is not there and has no deviation of one value', () => {
  expect(summarise([1, null, 3])).toEqual({ mean: 2, sd: Math.SQRT2, values: [1, null, 3] });
  expect(summarise([1, 2, 6])).toMatchObject({ mean: 3, sd: Math.sqrt((4 + 1 + 9) / 2) });
  expect(summarise([4])).toEqual({ mean: 4, sd: null, values: [4] });
  expect(summarise([null])).toEqual({ mean: null, sd: null, values: [null] });
});
