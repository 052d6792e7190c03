import { describe, expect, it } from 'vitest';
import type { Prices } from '../../lib/estimate/readPrices.ts';
import type { SampleUse } from '../../lib/tune/measureSample.ts';
import { neededMegabytes, recommendFunction, type TuneQuestion } from '../../lib/tune/recommendFunction.ts';

const MEGABYTE = 2 ** 20;
const PRICES: Prices = {
  region: 'nowhere',
  architecture: 'arm64',
  date: '2026-11-25',
  sources: ['the test'],
  dollarsPerGigabyteSecond: 0.001,
  dollarsPerMillionInvocations: 0,
  dollarsPerThousandPuts: 0,
  dollarsPerThousandGets: 0,
  dollarsPerThousandStateTransitions: 0,
  memoryMegabytes: 3538,
  concurrency: 50,
  rowsPerSecondPerVcpu: 1,
  secondsPerPart: 0,
  secondsPerColdStart: 5,
  secondsPerRun: 30,
};
const use = (rows: number, scoreSeconds: number, peakMegabytes = 500): SampleUse => ({
  rows,
  loadSeconds: 1,
  scoreSeconds,
  cpuSeconds: scoreSeconds,
  peakBytes: peakMegabytes * MEGABYTE,
});
/** 10,000 rows a second of one thread, and a second for each part; twice the threads are 1.8 times as fast. */
const QUESTION: TuneQuestion = {
  short: use(50_000, 6),
  one: use(200_000, 21),
  two: use(200_000, 21 / 1.8, 600),
  inputRows: 100_000_000,
  deadlineMinutes: 60,
  budgetDollars: undefined,
  mostConcurrency: 1000,
  relativeSpeed: 1,
};
const recommend = (changes: Partial<TuneQuestion> = {}) =>
  recommendFunction({ ...QUESTION, ...changes }, PRICES);

describe('the recommendation', () => {
  it('takes as few functions as are done before the deadline, and equal parts for each of them', () => {
    const { threads, concurrency, targetRows, minutes, meetsDeadline } = recommend();
    // 10,000 s of one thread's rows in the 3,565 s that run and start leave: three functions.
    expect({ threads, concurrency }).toEqual({ threads: 1, concurrency: 3 });
    // A part's own second may be a fiftieth of it: 500,000 rows at most, 67 parts for each function.
    expect(targetRows).toBe(498_000);
    expect(minutes * 60).toBeCloseTo(30 + 5 + 100e6 / 3 / 10_000 + 67, 6);
    expect(meetsDeadline).toBe(true);
  });

  it('costs the time of all functions by their memory, cold starts included', () => {
    const { memoryMegabytes, dollars } = recommend();
    expect(memoryMegabytes).toBe(1769);
    const seconds = 3 * (5 + 100e6 / 3 / 10_000 + 67);
    expect(dollars).toBeCloseTo(seconds * (1769 / 1024) * 0.001, 6);
  });

  it('takes more threads where the account allows too few functions, and says when nothing is done in time', () => {
    expect(recommend({ mostConcurrency: 2 })).toMatchObject({
      threads: 2,
      concurrency: 2,
      meetsDeadline: true,
    });
    const late = recommend({ mostConcurrency: 1, deadlineMinutes: 10 });
    expect(late.meetsDeadline).toBe(false);
    // The fastest that there is: Lambda's largest function has memory for five vCPUs.
    expect(late.threads).toBe(5);
  });

  it('prefers one thread where a second gains nothing: it is paid for as well', () => {
    expect(recommend({ two: use(200_000, 21, 600), mostConcurrency: 1000 }).threads).toBe(1);
  });

  it('says when nothing that is done in time is within the budget', () => {
    expect(recommend({ budgetDollars: 100 }).meetsBudget).toBe(true);
    expect(recommend({ budgetDollars: 0.01 })).toMatchObject({ meetsBudget: false, meetsDeadline: true });
  });

  it('counts a vCPU that is half as fast as twice the time', () => {
    expect(recommend({ relativeSpeed: 0.5 }).rowsPerSecond).toBeCloseTo(recommend().rowsPerSecond / 2, 6);
  });

  it('gives a large model the memory that it takes, with a quarter to spare, and more threads to share it', () => {
    const large = { one: use(200_000, 21, 4000), two: use(200_000, 21 / 1.8, 4400) };
    expect(neededMegabytes(large, 1)).toBe(5056);
    expect(neededMegabytes(large, 3)).toBe(64 * Math.ceil((1.25 * 4800) / 64));
    expect(recommend(large)).toMatchObject({ threads: 4, memoryMegabytes: 7076 });
    expect(recommend({ ...large, two: use(200_000, 21, 4400) })).toMatchObject({
      threads: 1,
      memoryMegabytes: 5056,
    });
    const tooLarge = { one: use(200_000, 21, 9000), two: use(200_000, 10.5, 9000) };
    expect(() => recommend(tooLarge)).toThrow(/^TUNE_MODEL_TOO_LARGE: .*at most 10240 MB/);
  });

  it('takes the time by row where both samples are the same row group', () => {
    expect(recommend({ short: use(200_000, 20.9) }).rowsPerSecond).toBeCloseTo(200_000 / 21, 6);
  });
});
