import { existsSync, mkdirSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it, vi } from 'vitest';
import { ARMS } from '../../lib/comparison/arms.ts';
import { collectComparison } from '../../lib/comparison/collectComparison.ts';
import type { ComparisonDocument } from '../../lib/comparison/comparisonDocument.ts';
import { renderReport } from '../../lib/comparison/renderReport.ts';
import { type ComparisonProgress, runComparison } from '../../lib/comparison/runComparison.ts';
import { writeRunRecord } from '../../lib/comparison/runFolder.ts';
import { type RunName, runInProcesses } from '../../lib/comparison/runInProcesses.ts';
import { TINY_DATES, writeTinyFunnel } from '../fixtures/tinyFunnel.ts';
import { type ConfigDocument, THREE_SIDES, TINY_CONFIG } from '../fixtures/tinyModel.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

// What a comparison asks of its parts, and in which order: no arm is trained here.
vi.mock('../../lib/comparison/runInProcesses.ts', () => ({ runInProcesses: vi.fn() }));
vi.mock('../../lib/comparison/collectComparison.ts', () => ({ collectComparison: vi.fn() }));
vi.mock('../../lib/comparison/renderReport.ts', () => ({ renderReport: vi.fn() }));

const folder = temporaryFolder();
const dataUri = writeTinyFunnel(join(folder, 'data'), { rowsPerDay: 200 });
const shard = join(dataUri, `dt=${TINY_DATES[0]}`, 'part-0.parquet');
const document: ConfigDocument = {
  ...TINY_CONFIG,
  split: THREE_SIDES,
};
const result = { reference: 'ncs', seeds: [1, 2] } as unknown as ComparisonDocument;
const processes = vi.mocked(runInProcesses);
const collect = vi.mocked(collectComparison);
const render = vi.mocked(renderReport);
const startedOf = (call: number) => processes.mock.calls[call]![0];

const record = ({ arm, seed }: RunName) => ({
  ...{ arm, seed, metrics: {}, validationScore: 0.5, trainingSeconds: 1, curve: [] },
  ...{ parameters: 1, embeddingParameters: 1, multiplyAddsPerRow: 1 },
});
/** Finishes runs as worker processes do: the record is written, then the run is told of; `until` of them. */
const finish = (until = Number.POSITIVE_INFINITY) =>
  processes.mockImplementation(async (runs, { output }, _processes, onDone) => {
    for (const [index, run] of runs.entries()) {
      if (index === until) throw new Error('killed');
      await writeRunRecord(output, record(run));
      onDone(run, 3 + index);
    }
  });

let output: string;
let outputs = 0;
beforeEach(() => {
  vi.resetAllMocks();
  finish();
  collect.mockResolvedValue(result);
  render.mockReturnValue('<p>the report</p>');
  output = join(folder, `output-${outputs++}`);
});
const run = (arms: readonly string[], seeds: number, over: object = {}, config: object = document) => {
  const told: ComparisonProgress[] = [];
  const options = {
    arms,
    seeds,
    processes: 3,
    onProgress: (at: ComparisonProgress) => told.push(at),
    ...over,
  };
  return { told, ended: runComparison(config, 'config.json', dataUri, output, options) };
};

it('begins seed by seed, each with all arms in the order of the report, the reference always among them', async () => {
  const { told, ended } = run(['ple', 'mmoe', 'ple'], 2);
  expect(await ended).toBe(result);
  const arms = ['ncs', 'mmoe', 'ple'];
  const runs = [1, 2].flatMap((seed) => arms.map((arm) => ({ arm, seed })));
  const sources = { config: document, data: dataUri, output };
  expect(processes).toHaveBeenCalledExactlyOnceWith(runs, sources, 3, expect.any(Function));
  expect(told).toEqual([
    { done: 0, total: 6, finishedEarlier: 0 },
    ...runs.map((ended, index) => ({
      ...{ done: index + 1, total: 6, finishedEarlier: 0 },
      ended: { ...ended, seconds: 3 + index },
    })),
  ]);
});

it('takes all arms by default', async () => {
  await run([], 1, { arms: undefined }).ended;
  expect(startedOf(0).map(({ arm }) => arm)).toEqual(Object.keys(ARMS));
});

it('keeps the runs that a killed call had finished, says so, and begins the others', async () => {
  finish(4);
  await expect(run(['mmoe', 'ple'], 2).ended).rejects.toThrow('killed');
  expect(collect).not.toHaveBeenCalled();
  expect(existsSync(join(output, 'report.html'))).toBe(false);
  finish();
  const { told, ended } = run(['mmoe', 'ple'], 2);
  await ended;
  expect(startedOf(1)).toEqual([
    { arm: 'mmoe', seed: 2 },
    { arm: 'ple', seed: 2 },
  ]);
  expect(told).toEqual([
    { done: 4, total: 6, finishedEarlier: 4 },
    { done: 5, total: 6, finishedEarlier: 4, ended: { arm: 'mmoe', seed: 2, seconds: 3 } },
    { done: 6, total: 6, finishedEarlier: 4, ended: { arm: 'ple', seed: 2, seconds: 4 } },
  ]);
});

it('adds seeds and arms to what is there already', async () => {
  await run(['mmoe'], 1).ended;
  await run(['mmoe', 'ple'], 2).ended;
  expect(startedOf(1)).toEqual([
    { arm: 'ple', seed: 1 },
    ...['ncs', 'mmoe', 'ple'].map((arm) => ({ arm, seed: 2 })),
  ]);
});

it('collects the runs over the report rows and writes them down, as a page and as numbers', async () => {
  await run(['mmoe'], 2).ended;
  const [collected] = collect.mock.calls[0]!;
  expect(collected).toMatchObject({
    ...{ dataUri, output, conversionLabel: 'conversion', names: ['ncs', 'mmoe'], seeds: [1, 2] },
    split: { report: [{ uri: join(dataUri, `dt=${TINY_DATES[2]}`, 'part-0.parquet') }] },
  });
  expect(collected.labels.click).toHaveLength(200);
  expect(render).toHaveBeenCalledExactlyOnceWith(result);
  expect(readFileSync(join(output, 'report.html'), 'utf8')).toBe('<p>the report</p>');
  expect(JSON.parse(readFileSync(join(output, 'comparison.json'), 'utf8'))).toEqual(result);
});

it('works without anybody to tell of its progress', async () => {
  expect(await run(['mmoe'], 1, { onProgress: undefined }).ended).toBe(result);
});

it('refuses data that changed while the runs were trained: no report mixes two versions of them', async () => {
  processes.mockImplementation(async () => {
    utimesSync(shard, new Date(), new Date(Date.now() + 60_000));
  });
  const { ended } = run(['mmoe'], 1);
  await expect(ended).rejects.toMatchObject({
    code: 'COMPARISON_CHANGED',
    location: { file: join(output, 'comparison-plan.json') },
  });
  expect(collect).not.toHaveBeenCalled();
  expect(existsSync(join(output, 'comparison.json'))).toBe(false);
});

it('says in its folder which data it is of', async () => {
  await run(['mmoe'], 1).ended;
  const { data, sha256 } = JSON.parse(readFileSync(join(output, 'comparison-plan.json'), 'utf8'));
  expect(data).toBe(dataUri);
  expect(sha256).toMatch(/^[0-9a-f]{64}$/);
});

it.each([
  ['an arm that there is not, chosen', { arms: ['mmoo'] }, {}, 'COMPARISON_ARM_UNKNOWN'],
  ['an arm that there is not, in the config', {}, { arms: { mmoo: {} } }, 'COMPARISON_ARM_UNKNOWN'],
  // Its name is a property of every object.
  ['an arm by the name of a method', { arms: ['toString'] }, {}, 'COMPARISON_ARM_UNKNOWN'],
  [
    'settings that the config gives to an arm that is not chosen',
    {},
    { arms: { ple: { trunk: { gain: -1 } } } },
    'TRAINING_CONFIG_INVALID',
  ],
  [
    'settings under which a chosen arm can not train',
    { arms: ['esmm'] },
    { training: { ...(TINY_CONFIG.training as object), steps: 'alternating' } },
    'TRAINING_CONFIG_INVALID',
  ],
  ['a network without a trunk', {}, { network: 'logistic' }, 'COMPARISON_NO_TRUNK'],
  [
    'no report rows',
    {},
    { split: { by: 'date', train: THREE_SIDES.train, validation: THREE_SIDES.validation } },
    'COMPARISON_NO_REPORT: config.json: there is nothing to report on',
  ],
  [
    'report rows on which every click converts',
    {},
    { labels: { click: 'click', conversion: 'click' } },
    "the report rows can't tell arms apart by conversions",
  ],
])('refuses before anything is written: %s', async (_title, options, config, message) => {
  mkdirSync(output);
  await expect(run(['mmoe'], 1, options, { ...document, ...config }).ended).rejects.toThrow(message);
  expect(processes).not.toHaveBeenCalled();
  expect(existsSync(join(output, 'comparison-plan.json'))).toBe(false);
});

it('names the arms that there are when it is asked for another', async () => {
  await expect(run(['mmoo'], 1).ended).rejects.toMatchObject({
    message: expect.stringContaining("there is no arm 'mmoo'"),
    expected: `one of ${Object.keys(ARMS).join(', ')}`,
  });
});
