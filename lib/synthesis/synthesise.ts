import { shiftedDay } from '../base/calendarDay.ts';
import { StorageError } from '../base/errors.ts';
import { encodeJson } from '../base/jsonDocument.ts';
import { RandomStream } from '../base/randomStream.ts';
import { RankedRows } from '../metrics/rankedRows.ts';
import { listIfAny, writeWhole } from '../storage/openStorage.ts';
import { joinUri } from '../storage/uri.ts';
import { drawImpressions, type Impression } from './drawImpressions.ts';
import { exampleConfig } from './exampleConfig.ts';
import type { FunnelOptions } from './funnelOptions.ts';
import { FunnelTeacher } from './funnelTeacher.ts';
import { writeShard } from './writeShard.ts';

/** What the drawn impressions turned out to be. */
export interface RealisedFunnel {
  readonly rows: number;
  readonly clickRate: number;
  /** Of clicked rows; null without any. */
  readonly conversionRate: number | null;
  /** Of the tasks' logits over all rows: a fact about the labels, not a measure of conflict. Null where one is the same for all. */
  readonly logitCorrelation: number | null;
  /** AUC of the true probabilities on the days to report on, the best that a model can have on average. */
  readonly bestClickAuc: number | null;
  /** On clicked rows. */
  readonly bestConversionAuc: number | null;
}

/** Apart from the teacher's own stream: more rows leave the truth as it is. */
const IMPRESSION_STREAM = 2 ** 20;

/**
 * Writes a synthetic funnel: partitions dt=YYYY-MM-DD with one shard each, truth.json with the generator's parameters,
 * and config.json, a training config for the data. The same options give the same bytes.
 * @throws StorageError STORAGE_NOT_EMPTY when the folder holds files already
 */
export async function synthesise(options: FunnelOptions, output: string): Promise<RealisedFunnel> {
  await refuseFilled(output);
  const teacher = new FunnelTeacher(options);
  const random = new RandomStream(options.seed + IMPRESSION_STREAM);
  const tally = new FunnelTally();
  for (let day = 0; day < options.days; day++) {
    const { rowsPerDay, fields, days, reportDays } = options;
    const isReported = day >= days - reportDays;
    const impressions = drawImpressions(teacher, random, day * rowsPerDay + 1, rowsPerDay, day);
    const uri = joinUri(output, `dt=${dateOf(options, day)}/part-0.parquet`);
    await writeShard(uri, tally.watch(impressions, isReported), fields);
  }
  const realised = tally.realised;
  const truth = { options, teacher: teacher.parameters, realised };
  await writeWhole(joinUri(output, 'truth.json'), encodeJson(truth));
  await writeWhole(
    joinUri(output, 'config.json'),
    encodeJson(exampleConfig(options, (day) => dateOf(options, day))),
  );
  return realised;
}

/** @param day from 0 */
function dateOf({ firstDate }: FunnelOptions, day: number): string {
  return shiftedDay(firstDate, day);
}

async function refuseFilled(output: string): Promise<void> {
  const found = await listIfAny(output);
  if (found.length === 0) return;
  throw new StorageError('STORAGE_NOT_EMPTY', 'a synthetic funnel needs an empty folder', {
    file: output,
    expected: 'no files',
    found: `${found.length}, such as ${found[0]!.relativePath}`,
  });
}

/** Counts impressions as they go by. */
class FunnelTally {
  #rows = 0;
  #clicks = 0;
  #conversions = 0;
  readonly #sums = { x: 0, y: 0, xx: 0, yy: 0, xy: 0 };
  readonly #reported = new RankedRows();
  readonly #reportedClicks = new RankedRows();

  *watch(impressions: Iterable<Impression>, isReported: boolean): Generator<Impression> {
    for (const row of impressions) {
      this.#add(row, isReported);
      yield row;
    }
  }

  get realised(): RealisedFunnel {
    const { x, y, xx, yy, xy } = this.#sums;
    const rows = this.#rows;
    const covariance = xy / rows - (x / rows) * (y / rows);
    const deviations = Math.sqrt((xx / rows - (x / rows) ** 2) * (yy / rows - (y / rows) ** 2));
    return {
      rows,
      clickRate: this.#clicks / rows,
      conversionRate: this.#clicks === 0 ? null : this.#conversions / this.#clicks,
      logitCorrelation: deviations > 0 ? covariance / deviations : null,
      bestClickAuc: this.#reported.compute().auc,
      bestConversionAuc: this.#reportedClicks.compute().auc,
    };
  }

  #add(
    { click, potentialConversion, truePctr, truePcvr, clickLogit, conversionLogit }: Impression,
    isReported: boolean,
  ) {
    this.#rows++;
    this.#clicks += click;
    this.#conversions += click * potentialConversion;
    const sums = this.#sums;
    sums.x += clickLogit;
    sums.y += conversionLogit;
    sums.xx += clickLogit ** 2;
    sums.yy += conversionLogit ** 2;
    sums.xy += clickLogit * conversionLogit;
    if (!isReported) return;
    this.#reported.add(truePctr, click, null);
    if (click === 1) this.#reportedClicks.add(truePcvr, potentialConversion, null);
  }
}
