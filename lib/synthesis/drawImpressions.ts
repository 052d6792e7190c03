import type { RandomStream } from '../base/randomStream.ts';
import { type FunnelTeacher, sigmoid } from './funnelTeacher.ts';

/** A synthetic impression: what the logs hold, and what only the generator knows. */
export interface Impression {
  readonly impressionId: number;
  /** Value of every field, from 0. */
  readonly values: Int32Array;
  /** One to three; they mean nothing. */
  readonly tags: readonly string[];
  /** Missing now and then; it means nothing. */
  readonly price: number | undefined;
  readonly click: 0 | 1;
  /** Drawn for every impression; the logs show it where there was a click. */
  readonly potentialConversion: 0 | 1;
  /** P(click) and P(conversion | click) that drew them, the hidden confounder included. */
  readonly truePctr: number;
  readonly truePcvr: number;
  readonly clickLogit: number;
  readonly conversionLogit: number;
}

const TAGS = 24;
const MISSING_PRICES = 0.05;

/** Impressions of one day. @param firstId id of the first @param day from 0 */
export function* drawImpressions(
  teacher: FunnelTeacher,
  random: RandomStream,
  firstId: number,
  count: number,
  day: number,
): Generator<Impression> {
  for (let i = 0; i < count; i++) {
    const values = teacher.drawValues(random);
    const logits = teacher.logits(values, random.nextNormal(), day);
    const truePctr = sigmoid(logits.click);
    const truePcvr = sigmoid(logits.conversion);
    yield {
      impressionId: firstId + i,
      values,
      tags: Array.from({ length: 1 + random.nextBelow(3) }, () => `t${random.nextBelow(TAGS)}`),
      price: random.nextUniform() < MISSING_PRICES ? undefined : Math.exp(2 + random.nextNormal()),
      click: random.nextUniform() < truePctr ? 1 : 0,
      potentialConversion: random.nextUniform() < truePcvr ? 1 : 0,
      truePctr,
      truePcvr,
      clickLogit: logits.click,
      conversionLogit: logits.conversion,
    };
  }
}
