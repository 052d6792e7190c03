import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { estimateRun } from '../../lib/estimate/estimateRun.ts';
import { type Prices, readPrices } from '../../lib/estimate/readPrices.ts';
import type { RunPlan } from '../../lib/publish/runPlan.ts';
import { planOf } from '../publish/planOf.ts';
import { temporaryFolder } from '../storage/temporaryFolder.ts';

const folder = temporaryFolder();

/** Numbers that can be worked out by hand; everything is free. */
const FREE: Prices = {
  region: 'nowhere',
  architecture: 'arm64',
  date: '2026-11-25',
  sources: ['the test'],
  dollarsPerGigabyteSecond: 0,
  dollarsPerMillionInvocations: 0,
  dollarsPerThousandPuts: 0,
  dollarsPerThousandGets: 0,
  dollarsPerThousandStateTransitions: 0,
  // One vCPU.
  memoryMegabytes: 1769,
  concurrency: 2,
  rowsPerSecondPerVcpu: 10,
  secondsPerPart: 1,
  secondsPerColdStart: 5,
  secondsPerRun: 30,
};
const TWO_VCPUS = { ...FREE, memoryMegabytes: 3538 };

/** Units of 21, 11, 11, 11 (two parts) and 21 seconds; the last one is of the second partition. */
const PLAN = planOf([200, 100, 100, 40, 50]);

/** The plan with every shard in row groups of its own number. */
function withRowGroups(plan: RunPlan, count: number): RunPlan {
  const cut = (partition: RunPlan['partitions'][number]) => ({
    ...partition,
    parts: partition.parts.map((part) => ({
      ...part,
      spans: part.spans.map((span) => ({ ...span, endRowGroup: count })),
    })),
  });
  return { ...plan, partitions: plan.partitions.map(cut) };
}

describe('the estimate', () => {
  it('gives the next unit to the worker that is free first: 37 and 48 seconds of two, and the run around them', () => {
    expect(estimateRun(PLAN, 4, FREE)).toEqual({
      rows: 690,
      rowsDone: 0,
      parts: 6,
      partsDone: 0,
      minutes: (30 + 48) / 60,
      dollars: 0,
    });
  });

  it('leaves out what is done, but not the run and its publication', () => {
    const left = estimateRun(planOf([200, 100, 100, 40, 50], [0, 3, 4]), 4, FREE);
    // Units of 11, 11 and 21 seconds.
    expect(left).toMatchObject({ rowsDone: 290, partsDone: 3, minutes: (30 + 5 + 11 + 21) / 60 });
    const none = planOf([200], [0]);
    const done = { ...none, partitions: none.partitions.slice(0, 1) };
    expect(estimateRun(done, 4, FREE)).toMatchObject({ rows: 200, rowsDone: 200, minutes: 0.5 });
  });

  it('scores row groups on a vCPU each: a second one is of no use to a part of one row group', () => {
    const onePart = planOf([200]);
    const plan = { ...onePart, partitions: onePart.partitions.slice(0, 1) };
    expect(estimateRun(plan, 4, TWO_VCPUS).minutes * 60).toBeCloseTo(30 + 5 + 1 + 20, 9);
    expect(estimateRun(withRowGroups(plan, 4), 4, TWO_VCPUS).minutes * 60).toBeCloseTo(30 + 5 + 1 + 10, 9);
  });

  it('of a hundred partitions is two rounds of fifty workers, not a hundred parts one after the other', () => {
    const { partitions, ...rest } = planOf([100]);
    const plan = { ...rest, partitions: Array.from({ length: 100 }, () => partitions[0]!) };
    const { minutes, dollars } = estimateRun(plan, 4, {
      ...FREE,
      concurrency: 50,
      dollarsPerGigabyteSecond: 0.001,
    });
    expect(minutes * 60).toBeCloseTo(30 + 5 + 11 + 11, 9);
    // Fifty cold starts and a hundred units.
    expect(dollars).toBeCloseTo((50 * 5 + 100 * 11) * (1769 / 1024) * 0.001, 9);
  });

  it.each<[keyof Prices, price: number, dollars: number]>([
    // 37 and 48 seconds.
    ['dollarsPerGigabyteSecond', 1024, 85 * 1769],
    // One choice, two plans, five units, two publications, one record.
    ['dollarsPerMillionInvocations', 1e6, 11],
    // Five of the run; of two partitions ten, four listings of the input, and four of parts and receipts; six parts of three.
    ['dollarsPerThousandPuts', 1000, 5 + 2 * (10 + 4 + 4) + 6 * 3],
    // Four of the run, four of each of two workers; of two partitions six; of six parts three, the receipt among them, and
    // the shard.
    ['dollarsPerThousandGets', 1000, 4 + 2 * 4 + 2 * 7 + 6 * (3 + 1)],
    // Eight, two partitions of seven, five units of four.
    ['dollarsPerThousandStateTransitions', 1000, 8 + 2 * 7 + 5 * 4],
  ])('charges %s', (name, price, dollars) => {
    expect(estimateRun(PLAN, 4, { ...FREE, [name]: price }).dollars).toBeCloseTo(dollars, 9);
  });

  it('of a billion rows with the prices that come with the project is that of a calculation by hand', async () => {
    const { partitions, ...rest } = withRowGroups(planOf(Array(1000).fill(1_000_000)), 8);
    const [whole] = partitions;
    const parts = whole!.parts.map((part) => ({
      ...part,
      spans: part.spans.map((span) => ({ ...span, sizeBytes: 60_000_000 })),
    }));
    const plan = { ...rest, targetRows: 1_000_000, partitions: [{ ...whole!, parts }] };
    const { minutes, dollars } = estimateRun(plan, 4, await readPrices());
    // 6.682 s a unit on two vCPUs; 20 a worker.
    expect(minutes).toBeCloseTo((30 + 5 + 20 * (1 + 1e6 / 176_000)) / 60, 6);
    // 6,932 s of 3,538 MB; 1,004 invocations; of each part itself, fingerprints and a receipt to write, the answers of its listings are one
    // each; 15 GETs to look for it, read it back (4), for its receipt and its shard; 4,015 transitions.
    const puts = 5 + 10 + 4 + 4 + 1000 * 3;
    const gets = 4 + 50 * 3 + 8 + 1000 * (1 + 4 + 1 + 1 + 8);
    const requests = (puts * 0.005 + gets * 0.0004) / 1000;
    expect(dollars).toBeCloseTo(0.31934 + 0.0002 + requests + 0.100375, 4);
  });
});

describe('prices', () => {
  const read = (document: object) => {
    writeFileSync(join(folder, 'prices.json'), JSON.stringify(document));
    return readPrices(join(folder, 'prices.json'));
  };
  const given = JSON.parse(
    readFileSync(new URL('../../infra/prices.json', import.meta.url), 'utf8'),
  ) as Prices;

  it('come with where, when and from which pages they are', async () => {
    expect(await readPrices()).toEqual(given);
    expect(given.sources.every((source) => source.startsWith('https://aws.amazon.com/'))).toBe(true);
    expect(await read({ ...given, region: 'eu-central-1' })).toMatchObject({ region: 'eu-central-1' });
  });

  it('are refused with every problem: unknown keys, missing and negative ones', async () => {
    const { concurrency, ...missing } = given;
    const broken = read({ ...missing, dollarsPerThousandGets: -1, dolarsPerThousandPuts: concurrency });
    await expect(broken).rejects.toMatchObject({
      code: 'PRICES_INVALID',
      problems: [
        expect.stringMatching(/^dollarsPerThousandGets: /),
        expect.stringMatching(/^concurrency: /),
        expect.stringMatching(/Unrecognized key: "dolarsPerThousandPuts"/),
      ],
    });
    writeFileSync(join(folder, 'text.json'), 'cheap');
    await expect(readPrices(join(folder, 'text.json'))).rejects.toMatchObject({ code: 'PRICES_INVALID' });
  });
});
