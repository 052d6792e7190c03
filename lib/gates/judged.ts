import type { ScoreName } from '../base/tasks.ts';
import type { PartProfile } from '../profile/partProfile.ts';

/** One score of all rows. */
export interface ScoreSummary {
  /** Null without rows. */
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** By scoreBinOf. */
  readonly counts: readonly number[];
}

/** A row key and its Arrow type as text. */
export interface KeyType {
  readonly name: string;
  readonly type: string;
}

/** The shard in which most values of a feature are missing, or unseen, for its size; see worstSpans.ts. */
export interface WorstShard {
  readonly shard: string;
  readonly count: number;
  /** Its rows, or the values in them; of a shard that is cut into several parts, those of one of them. */
  readonly of: number;
}

/** One of a part's shards whose values of a feature are distributed least like validation's; see shiftedSpans.ts. */
export interface ShiftedShard {
  readonly shard: string;
  /** Of a shard that is cut into several parts, those of all that are shifted. */
  readonly bins: readonly number[];
}

/** A publication as gates see it: one that is to be judged, or one that it is compared with. */
export interface Judged {
  readonly partition: string;
  /** Equal for publications of the same model. */
  readonly model: string;
  readonly rows: number;
  readonly scores: Readonly<Record<ScoreName, ScoreSummary>>;
  /** Of every part, in order. */
  readonly keyTypes: readonly (readonly KeyType[])[];
  /** By feature; null where nothing is. */
  readonly worstShards: ReadonlyMap<
    string,
    { readonly missing: WorstShard | null; readonly unseen: WorstShard | null }
  >;
  /** By feature: two at most of every part, among them the most shifted shards of all. */
  readonly shiftedShards: ReadonlyMap<string, readonly ShiftedShard[]>;
  /** Where features are looked at. */
  readonly profile?: PartProfile;
}

/** A day of the same run of which nothing was published when the run was planned. */
export interface UnpublishedDay {
  readonly partition: string;
  readonly rows: number;
}

/** What a publication is compared with. */
export interface Earlier {
  /** The visible state of the same partition. */
  readonly own: Judged | undefined;
  /** Of the nearest day before, with the same other keys. */
  readonly previous: Judged | undefined;
  /** Of the same weekday before, unless that is `previous`. */
  readonly weekday: Judged | undefined;
  /** The nearest day before, where no day before is published. */
  readonly unpublished?: UnpublishedDay | undefined;
  /** Is the partition a day and no part of one, where the job's layout says something else than its name? */
  readonly isWholeDay?: boolean | undefined;
  /** Is it an hour or a region of a day, by the job's layout? */
  readonly isPartOfDay?: boolean | undefined;
}

/** The publication to be judged. */
export interface Candidate extends Judged {
  readonly profile: PartProfile;
}

export const VALIDATION = "the model's validation rows";
export const TRAINING_DAYS = "the model's training days";
