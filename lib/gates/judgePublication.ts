import type { GateAction, GateSettings } from '../job/gateSettings.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { judgeCalibration } from './judgeCalibration.ts';
import { type Candidate, type Earlier, VALIDATION } from './judged.ts';
import { judgeFeatureDistributions } from './judgeFeatureDistributions.ts';
import { judgeMissingValues, judgeUnseenValues } from './judgeFeatures.ts';
import {
  judgeKeySchema,
  judgeRepeatedContent,
  judgeRepeatedKeys,
  type RepeatedRows,
  type SpanElsewhere,
} from './judgeKeys.ts';
import { coversWholeDay, judgeRows } from './judgeRows.ts';
import {
  judgeConstantScores,
  judgeScoreDistributions,
  judgeScoreMeans,
  judgeSliceMeans,
} from './judgeScores.ts';
import { judgeShiftedShard } from './judgeShiftedShard.ts';
import { judgeWorstShard } from './judgeWorstShard.ts';
import { type GateName, type Measurement, skipped, type Verdict, verdictOf } from './verdict.ts';

/** What was published under other dates, as far as it was looked at. */
export interface RepeatedContent {
  /** Partitions that were looked at. */
  readonly compared: readonly string[];
  /** The same rows with the same scores. */
  readonly rows: readonly SpanElsewhere[];
  /** The same keys with other scores. */
  readonly keys: readonly SpanElsewhere[];
  /** The same features and scores, of all rows there, with other keys. */
  readonly features: readonly SpanElsewhere[];
  /** Of the same run's days of which nothing is published: partitions that were looked at, and spans of files that lie there, too. */
  readonly unpublished: readonly string[];
  readonly files: readonly SpanElsewhere[];
  /** Of the same days, the spans whose keys are those of all rows there, in files that are others. */
  readonly inputKeys: readonly SpanElsewhere[];
  /** Rows and files that another hour or region has, too: published, and in the input of the same run. */
  readonly besideRows: readonly SpanElsewhere[];
  readonly besideFiles: readonly SpanElsewhere[];
}

/** All that gates know of a partition. */
export interface GateInput {
  readonly candidate: Candidate;
  readonly earlier: Earlier;
  /** Undefined for a model that was written without one. */
  readonly reference: ModelReference | undefined;
  /** Undefined where nobody has counted. */
  readonly repeatedKeys: RepeatedRows | undefined;
  readonly repeatedContent: RepeatedContent;
}

/**
 * Every gate's verdicts on a partition, but for the user's own audit. Follows from the input alone, so that whoever judges the
 * same parts for the same run judges alike.
 */
export function judgePublication(input: GateInput, settings: GateSettings): Verdict[] {
  const { candidate, earlier, reference, repeatedKeys, repeatedContent } = input;
  const verdicts: Verdict[] = [];
  const judge = (
    gate: GateName,
    action: GateAction,
    measure: () => readonly Measurement[],
    against: string,
    whyNot: string,
  ) => {
    if (action === 'off') return;
    const measured = measure();
    verdicts.push(...measured.map((each) => verdictOf(gate, action, each)));
    if (measured.length === 0) verdicts.push(skipped(gate, '', against, whyNot));
  };
  const noReference = 'the bundle says nothing of its validation rows';
  const nothing = `${noReference}, and nothing comparable was published before`;
  const known = (measure: (there: ModelReference) => readonly Measurement[]) => () =>
    reference === undefined ? [] : measure(reference);
  const { rows, constantScores, scoreMeans, scoreDistributions, sliceMeans, calibration } = settings;
  const isPart = (reference?.days.length ?? 0) > 0 && !coversWholeDay(candidate.partition, earlier);
  const alone = isPart
    ? "nothing comparable was published before, and the bundle knows rows of whole days, which this partition isn't"
    : nothing;
  judge('rows', rows.action, () => judgeRows(candidate, earlier, reference, rows), '', alone);
  // Of no rows everything else says nothing.
  if (candidate.rows === 0) return verdicts;
  const keys = settings.repeatedKeys;
  const counted = () => (repeatedKeys ? [judgeRepeatedKeys(repeatedKeys, reference, keys)] : []);
  judge('repeatedKeys', keys.action, counted, '', 'the keys were not counted');
  const { action, sameKeys } = settings.repeatedContent;
  const { compared, features: underOtherKeys, besideRows, besideFiles } = repeatedContent;
  const dates = 'other dates';
  const noOther = 'no other date is published near this one, or in the same run before it';
  const content = () => [
    ...judgeRepeatedContent(repeatedContent.rows, compared, 'rows'),
    ...judgeRepeatedContent(underOtherKeys, partitionsOf(underOtherKeys), 'features'),
    ...judgeRepeatedContent(repeatedContent.files, repeatedContent.unpublished, 'files'),
  ];
  judge('repeatedContent', action, content, dates, noOther);
  const others = () =>
    [
      ...judgeRepeatedContent(repeatedContent.keys, compared, 'keys'),
      ...judgeRepeatedContent(repeatedContent.inputKeys, repeatedContent.unpublished, 'inputKeys'),
      ...judgeRepeatedContent(besideRows, partitionsOf(besideRows), 'rows'),
      ...judgeRepeatedContent(besideFiles, partitionsOf(besideFiles), 'files'),
    ].filter(({ isWithin }) => !isWithin);
  if (action !== 'off' && sameKeys !== 'off') {
    verdicts.push(...others().map((each) => verdictOf('repeatedContent', sameKeys, each)));
  }
  judge(
    'keySchema',
    settings.keySchema.action,
    () => judgeKeySchema(candidate, earlier),
    '',
    'there is no part',
  );
  judge(
    'constantScores',
    constantScores.action,
    () => judgeConstantScores(candidate, reference, constantScores),
    '',
    nothing,
  );
  const means = () => judgeScoreMeans(candidate, earlier, reference, scoreMeans);
  judge('scoreMeans', scoreMeans.action, means, VALIDATION, nothing);
  const distributions = () => judgeScoreDistributions(candidate, earlier, reference, scoreDistributions);
  judge('scoreDistributions', scoreDistributions.action, distributions, VALIDATION, nothing);
  const slices = () => judgeSliceMeans(candidate, reference, sliceMeans);
  judge('sliceMeans', sliceMeans.action, slices, VALIDATION, 'the model declares no slice with enough rows');
  const { missingValues, unseenValues, featureDistributions } = settings;
  const missing = known((there) => judgeMissingValues(candidate, earlier, there, missingValues));
  judge('missingValues', missingValues.action, missing, VALIDATION, noReference);
  const unseen = known((there) => judgeUnseenValues(candidate, there, unseenValues));
  judge('unseenValues', unseenValues.action, unseen, VALIDATION, noReference);
  const features = known((there) =>
    judgeFeatureDistributions(candidate, earlier, there, featureDistributions),
  );
  judge('featureDistributions', featureDistributions.action, features, VALIDATION, noReference);
  const { worstShard } = settings;
  const worst = known((there) => [
    ...judgeWorstShard(candidate, earlier, there, worstShard),
    ...judgeShiftedShard(candidate, earlier, there, worstShard),
  ]);
  const whyNot = reference === undefined ? noReference : 'every feature has a value that the model knows';
  judge('worstShard', worstShard.action, worst, VALIDATION, whyNot);
  const labels = () => judgeCalibration(candidate, calibration);
  judge('calibration', calibration.action, labels, '', 'too few labels are there');
  return verdicts;
}

/** What keeps a partition from being published. */
export function blockingVerdicts(verdicts: readonly Verdict[]): readonly Verdict[] {
  return verdicts.filter(({ verdict }) => verdict === 'block');
}

/** What is published, and should be looked at. */
export function warningVerdicts(verdicts: readonly Verdict[]): readonly Verdict[] {
  return verdicts.filter(({ verdict }) => verdict === 'warn');
}

function partitionsOf(spans: readonly SpanElsewhere[]): string[] {
  return [...new Set(spans.map(({ partition }) => partition))];
}
