import { Ncs4cvrError } from '../base/errors.ts';
import { LAMBDA_MEGABYTES_PER_VCPU } from '../estimate/modelMemory.ts';
import type { Prices } from '../estimate/readPrices.ts';
import type { SampleUse } from './measureSample.ts';

/** What was measured of a sample, and what is wanted of a night. */
export interface TuneQuestion {
  /** With one thread, and with two. */
  readonly one: SampleUse;
  readonly two: SampleUse;
  /** With one thread, of a part of the sample: what is left when both are taken apart are the seconds that every part takes. */
  readonly short: SampleUse;
  readonly inputRows: number;
  readonly deadlineMinutes: number;
  readonly budgetDollars: number | undefined;
  /** Functions that the account lets run at a time. */
  readonly mostConcurrency: number;
  /** How fast a vCPU of Lambda is beside a core of this machine. */
  readonly relativeSpeed: number;
}

/** A score function, how many of them, and what a part should hold. */
export interface Recommendation {
  readonly memoryMegabytes: number;
  readonly threads: number;
  readonly concurrency: number;
  readonly targetRows: number;
  /** Of a function. */
  readonly rowsPerSecond: number;
  /** Of the whole run. */
  readonly minutes: number;
  readonly dollars: number;
  readonly meetsDeadline: boolean;
  readonly meetsBudget: boolean;
}

const LAMBDA_MOST_MEGABYTES = 10_240;
const MOST_THREADS = 6;
/** Memory is measured on another machine, with other row groups. */
const MEMORY_HEADROOM = 1.25;
/** Lambda takes any; whole steps are read more easily. */
const MEGABYTES_STEP = 64;
/** A part's own seconds may be this share of it. */
const OWN_SHARE = 0.02;
/** Longer parts lose more when they are repeated, and may not end within an invocation of 15 minutes. */
const MOST_PART_SECONDS = 300;
const MOST_TARGET_ROWS = 10_000_000;
/** Targets are rounded to whole thousands, upwards: one part more would be done after all others. */
const ROUND_ROWS = 1000;

/**
 * The cheapest function and number of them that are done before the deadline and within the budget; where nothing is, the cheapest
 * that is done in time, or else the fastest, and what it fails. Cost is the functions' time, rows and cold starts; requests
 * and invocations are in `plan`'s estimate.
 * @throws Ncs4cvrError TUNE_MODEL_TOO_LARGE when no function of Lambda could hold the model
 */
export function recommendFunction(question: TuneQuestion, prices: Prices): Recommendation {
  const candidates = Array.from({ length: MOST_THREADS }, (_, index) =>
    candidate(index + 1, question, prices),
  );
  const fitting = candidates.filter((each): each is Recommendation => each !== undefined);
  if (fitting.length === 0) {
    throw new Ncs4cvrError('TUNE_MODEL_TOO_LARGE', "the model doesn't fit into any score function", {
      expected: `at most ${LAMBDA_MOST_MEGABYTES} MB`,
      found: `${neededMegabytes(question, 1)} MB with one thread`,
    });
  }
  const good = fitting.filter(({ meetsDeadline, meetsBudget }) => meetsDeadline && meetsBudget);
  const inTime = fitting.filter(({ meetsDeadline }) => meetsDeadline);
  const cheapest = (all: readonly Recommendation[]) =>
    all.reduce((best, each) => (each.dollars < best.dollars ? each : best));
  if (good.length > 0) return cheapest(good);
  if (inTime.length > 0) return cheapest(inTime);
  return fitting.reduce((best, each) => (each.minutes < best.minutes ? each : best));
}

/** Megabytes that a function with so many threads needs. @internal exported for tests */
export function neededMegabytes({ one, two }: Pick<TuneQuestion, 'one' | 'two'>, threads: number): number {
  const perThread = Math.max(0, two.peakBytes - one.peakBytes);
  const bytes = MEMORY_HEADROOM * (one.peakBytes + (threads - 1) * perThread);
  return MEGABYTES_STEP * Math.ceil(bytes / 2 ** 20 / MEGABYTES_STEP);
}

function candidate(threads: number, question: TuneQuestion, prices: Prices): Recommendation | undefined {
  const { one, two, short, inputRows, deadlineMinutes, budgetDollars, mostConcurrency, relativeSpeed } =
    question;
  // A thread that has no vCPU of its own is of no use.
  const memoryMegabytes = Math.max(threads * LAMBDA_MEGABYTES_PER_VCPU, neededMegabytes(question, threads));
  if (memoryMegabytes > LAMBDA_MOST_MEGABYTES) return undefined;
  const secondsPerRow = rowSeconds(one, short) / relativeSpeed;
  const partSeconds =
    Math.max(0, one.scoreSeconds / relativeSpeed - one.rows * secondsPerRow) + prices.secondsPerPart;
  // Each doubling of threads is worth what the first one was.
  const gain = Math.min(2, Math.max(1, one.scoreSeconds / two.scoreSeconds));
  const rowsPerSecond = gain ** Math.log2(threads) / secondsPerRow;
  const startSeconds = Math.max(prices.secondsPerColdStart, one.loadSeconds / relativeSpeed);

  const enoughRows = Math.ceil((partSeconds * rowsPerSecond) / OWN_SHARE);
  const mostRows = Math.max(
    1,
    Math.min(enoughRows, Math.floor(MOST_PART_SECONDS * rowsPerSecond), MOST_TARGET_ROWS),
  );
  /** The same number of equal parts for each function, so that none waits for another one. */
  const shareOf = (functions: number) => {
    const rows = inputRows / functions;
    const parts = Math.ceil(rows / mostRows);
    return { rows, parts, seconds: rows / rowsPerSecond + parts * partSeconds };
  };
  const workSeconds = deadlineMinutes * 60 - prices.secondsPerRun - startSeconds;
  let concurrency = 1;
  while (concurrency < mostConcurrency && shareOf(concurrency).seconds > workSeconds) concurrency++;
  const share = shareOf(concurrency);
  const targetRows = roundRows(share.rows / share.parts);
  const minutes = (prices.secondsPerRun + startSeconds + share.seconds) / 60;
  const functionSeconds = concurrency * (startSeconds + share.seconds);
  const dollars = functionSeconds * (memoryMegabytes / 1024) * prices.dollarsPerGigabyteSecond;
  return {
    memoryMegabytes,
    threads,
    concurrency,
    targetRows,
    rowsPerSecond,
    minutes,
    dollars,
    meetsDeadline: minutes <= deadlineMinutes,
    meetsBudget: budgetDollars === undefined || dollars <= budgetDollars,
  };
}

/** Of two points on a line: what is left at no rows is what every part takes. */
function rowSeconds(one: SampleUse, short: SampleUse): number {
  const slope = (one.scoreSeconds - short.scoreSeconds) / (one.rows - short.rows);
  // The same sample twice, where there is one row group only; or noise.
  return slope > 0 && Number.isFinite(slope) ? slope : one.scoreSeconds / one.rows;
}

function roundRows(rows: number): number {
  return rows < ROUND_ROWS ? Math.ceil(rows) : ROUND_ROWS * Math.ceil(rows / ROUND_ROWS);
}
