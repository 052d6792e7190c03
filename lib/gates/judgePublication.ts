import type { GateSettings } from '../job/gateSettings.ts';
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

const NO_REFERENCE = 'the bundle says nothing of its validation rows';
const NOTHING_COMPARABLE = `${NO_REFERENCE}, and nothing comparable was published before`;

/** A gate that is built in. */
interface Gate {
  readonly name: Exclude<GateName, 'audit'>;
  /** Nothing where it has no yardstick. */
  readonly measure: (input: GateInput, settings: GateSettings) => readonly Measurement[];
  /** What it would have been compared with, where nothing is measured; and why that is so. */
  readonly against: string;
  readonly whyNot: string | ((input: GateInput) => string);
  /** What it finds that leads to a verdict of another action than the gate's own. */
  readonly alsoFound?: (input: GateInput, settings: GateSettings) => readonly Verdict[];
}

/** As `measure` of a gate that has nothing to say without a reference. */
function byReference(
  measure: (reference: ModelReference, input: GateInput, settings: GateSettings) => readonly Measurement[],
): Gate['measure'] {
  return (input, settings) =>
    input.reference === undefined ? [] : measure(input.reference, input, settings);
}

const ROWS: Gate = {
  name: 'rows',
  measure: ({ candidate, earlier, reference }, { rows }) => judgeRows(candidate, earlier, reference, rows),
  against: '',
  whyNot: ({ candidate, earlier, reference }) =>
    (reference?.days.length ?? 0) > 0 && !coversWholeDay(candidate.partition, earlier)
      ? "nothing comparable was published before, and the bundle knows rows of whole days, which this partition isn't"
      : NOTHING_COMPARABLE,
};

/** In the order of their verdicts. */
const GATES: readonly Gate[] = [
  ROWS,
  {
    name: 'repeatedKeys',
    measure: ({ repeatedKeys, reference }, settings) =>
      repeatedKeys === undefined ? [] : [judgeRepeatedKeys(repeatedKeys, reference, settings.repeatedKeys)],
    against: '',
    whyNot: 'the keys were not counted',
  },
  {
    name: 'repeatedContent',
    measure: ({ repeatedContent: { rows, compared, features, files, unpublished } }) => [
      ...judgeRepeatedContent(rows, compared, 'rows'),
      ...judgeRepeatedContent(features, partitionsOf(features), 'features'),
      ...judgeRepeatedContent(files, unpublished, 'files'),
    ],
    against: 'other dates',
    whyNot: 'no other date is published near this one, or in the same run before it',
    alsoFound: sameKeysElsewhere,
  },
  {
    name: 'keySchema',
    measure: ({ candidate, earlier }) => judgeKeySchema(candidate, earlier),
    against: '',
    whyNot: 'there is no part',
  },
  {
    name: 'constantScores',
    measure: ({ candidate, reference }, { constantScores }) =>
      judgeConstantScores(candidate, reference, constantScores),
    against: '',
    whyNot: NOTHING_COMPARABLE,
  },
  {
    name: 'scoreMeans',
    measure: ({ candidate, earlier, reference }, { scoreMeans }) =>
      judgeScoreMeans(candidate, earlier, reference, scoreMeans),
    against: VALIDATION,
    whyNot: NOTHING_COMPARABLE,
  },
  {
    name: 'scoreDistributions',
    measure: ({ candidate, earlier, reference }, { scoreDistributions }) =>
      judgeScoreDistributions(candidate, earlier, reference, scoreDistributions),
    against: VALIDATION,
    whyNot: NOTHING_COMPARABLE,
  },
  {
    name: 'sliceMeans',
    measure: ({ candidate, reference }, { sliceMeans }) => judgeSliceMeans(candidate, reference, sliceMeans),
    against: VALIDATION,
    whyNot: 'the model declares no slice with enough rows',
  },
  {
    name: 'missingValues',
    measure: byReference((reference, { candidate, earlier }, { missingValues }) =>
      judgeMissingValues(candidate, earlier, reference, missingValues),
    ),
    against: VALIDATION,
    whyNot: NO_REFERENCE,
  },
  {
    name: 'unseenValues',
    measure: byReference((reference, { candidate }, { unseenValues }) =>
      judgeUnseenValues(candidate, reference, unseenValues),
    ),
    against: VALIDATION,
    whyNot: NO_REFERENCE,
  },
  {
    name: 'featureDistributions',
    measure: byReference((reference, { candidate, earlier }, { featureDistributions }) =>
      judgeFeatureDistributions(candidate, earlier, reference, featureDistributions),
    ),
    against: VALIDATION,
    whyNot: NO_REFERENCE,
  },
  {
    name: 'worstShard',
    measure: byReference((reference, { candidate, earlier }, { worstShard }) => [
      ...judgeWorstShard(candidate, earlier, reference, worstShard),
      ...judgeShiftedShard(candidate, earlier, reference, worstShard),
    ]),
    against: VALIDATION,
    whyNot: ({ reference }) =>
      reference === undefined ? NO_REFERENCE : 'every feature has a value that the model knows',
  },
  {
    name: 'calibration',
    measure: ({ candidate }, { calibration }) => judgeCalibration(candidate, calibration),
    against: '',
    whyNot: 'too few labels are there',
  },
];

/**
 * Every gate's verdicts on a partition, but for the user's own audit. Follows from the input alone, so that whoever judges the
 * same parts for the same run judges alike.
 */
export function judgePublication(input: GateInput, settings: GateSettings): Verdict[] {
  // Of no rows everything else says nothing.
  const gates = input.candidate.rows === 0 ? [ROWS] : GATES;
  return gates.flatMap((gate) => verdictsOf(gate, input, settings));
}

function verdictsOf(
  { name, measure, against, whyNot, alsoFound }: Gate,
  input: GateInput,
  settings: GateSettings,
): readonly Verdict[] {
  const { action } = settings[name];
  if (action === 'off') return [];
  const measured = measure(input, settings).map((each) => verdictOf(name, action, each));
  const reason = typeof whyNot === 'string' ? whyNot : whyNot(input);
  const own = measured.length === 0 ? [skipped(name, '', against, reason)] : measured;
  return [...own, ...(alsoFound?.(input, settings) ?? [])];
}

/** Keys that another date has with other scores or in other files, and rows or files of another hour or region. */
function sameKeysElsewhere(
  { repeatedContent: { keys, compared, inputKeys, unpublished, besideRows, besideFiles } }: GateInput,
  { repeatedContent: { sameKeys } }: GateSettings,
): readonly Verdict[] {
  if (sameKeys === 'off') return [];
  return [
    ...judgeRepeatedContent(keys, compared, 'keys'),
    ...judgeRepeatedContent(inputKeys, unpublished, 'inputKeys'),
    ...judgeRepeatedContent(besideRows, partitionsOf(besideRows), 'rows'),
    ...judgeRepeatedContent(besideFiles, partitionsOf(besideFiles), 'files'),
  ]
    .filter(({ isWithin }) => !isWithin)
    .map((each) => verdictOf('repeatedContent', sameKeys, each));
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
