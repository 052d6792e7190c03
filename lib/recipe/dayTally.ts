import type { FeatureCounts, FeatureEncoder } from '../features/featureEncoder.ts';

/** Rows of one day in a training set. */
export interface DayRows {
  /** YYYY-MM-DD; undefined where rows aren't split by date, and all of them are one such day. */
  readonly day: string | undefined;
  readonly rows: number;
  /** Rows [start, end) of the set, ascending; several where the day's shards aren't neighbours. */
  readonly ranges: readonly SetRange[];
  /** What the encoder counted in them. */
  readonly counts: readonly FeatureCounts[];
}

export interface SetRange {
  readonly start: number;
  readonly end: number;
}

/** Notes of which day the rows are that are encoded one batch after the other into a training set. */
export class DayTally {
  readonly #encoder: FeatureEncoder;
  readonly #days = new Map<string | undefined, { ranges: SetRange[]; counts: FeatureCounts[] }>();
  #before: readonly FeatureCounts[];
  #rowCount = 0;

  /** @param encoder whose counts go on; what it has counted until now belongs to no day */
  constructor(encoder: FeatureEncoder) {
    this.#encoder = encoder;
    this.#before = copyCounts(encoder.counts);
  }

  /** Says that the encoder's last `rowCount` rows, the next ones of the set, are of this day. */
  add(day: string | undefined, rowCount: number): void {
    const now = copyCounts(this.#encoder.counts);
    const counts = now.map(({ name, values, missing, unseen }, feature) => {
      const before = this.#before[feature]!;
      return {
        name,
        values: values - before.values,
        missing: missing - before.missing,
        unseen: unseen - before.unseen,
      };
    });
    this.#before = now;
    const [start, end] = [this.#rowCount, this.#rowCount + rowCount];
    this.#rowCount = end;
    const known = this.#days.get(day);
    if (known === undefined) {
      this.#days.set(day, { ranges: [{ start, end }], counts });
      return;
    }
    for (const [feature, total] of known.counts.entries()) {
      total.values += counts[feature]!.values;
      total.missing += counts[feature]!.missing;
      total.unseen += counts[feature]!.unseen;
    }
    const last = known.ranges.at(-1)!;
    if (last.end === start) known.ranges[known.ranges.length - 1] = { start: last.start, end };
    else known.ranges.push({ start, end });
  }

  /** By day. */
  get days(): DayRows[] {
    const days = [...this.#days].map(([day, { ranges, counts }]) => {
      const rows = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
      return { day, rows, ranges, counts };
    });
    return days.sort((a, b) => ((a.day ?? '') < (b.day ?? '') ? -1 : 1));
  }
}

function copyCounts(counts: readonly FeatureCounts[]): readonly FeatureCounts[] {
  return counts.map((each) => ({ ...each }));
}
