import type { GateSettings } from '../job/gateSettings.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { type Candidate, type Earlier, type KeyType, TRAINING_DAYS } from './judged.ts';
import type { Measurement } from './verdict.ts';

/** A key that several rows have. */
interface RepeatedKeyExample {
  /** Such as `user_id=5, request="a"`. */
  readonly key: string;
  readonly rows: readonly { readonly shard: string; readonly pctr: number; readonly pcvr: number }[];
}

/** Repeated keys of a partition, counted over all its parts. */
export interface RepeatedRows {
  readonly rows: number;
  /** Whose key was there before. */
  readonly repeatedRows: number;
  readonly examples: readonly RepeatedKeyExample[];
}

/** Rows whose key was there before, as a share. Where nobody knows whether keys repeat, the first of them warns. */
export function judgeRepeatedKeys(
  { rows, repeatedRows, examples }: RepeatedRows,
  reference: Pick<ModelReference, 'repeatedKeys'> | undefined,
  { share }: GateSettings['repeatedKeys'],
): Measurement {
  const bound = share ?? Math.min(1, 2 * (reference?.repeatedKeys ?? 0));
  const found = rows === 0 ? 0 : repeatedRows / rows;
  const isWithin = found <= bound;
  const shown = isWithin ? [] : examples;
  const named = shown.length === 0 ? '' : `, such as ${shown.map(shortExample).join('; ')}`;
  const isKnown = share !== undefined || reference !== undefined;
  const against = share !== undefined ? 'the job document' : isKnown ? TRAINING_DAYS : 'unique keys';
  const reason = `${repeatedRows} of ${rows} rows have a key that was there before${named}`;
  const measured = {
    ...{ subject: '', found, bound, isWithin, against, reason },
    ...(shown.length === 0 ? {} : { examples: shown.map(wholeExample) }),
  };
  return isKnown ? measured : { ...measured, atMost: 'warn' };
}

/** Characters of a key that a reason shows. */
const SHOWN_KEY = 80;

/** For people, who look the key up in the document. */
function shortExample({ key, rows }: RepeatedKeyExample): string {
  const shown = key.length <= SHOWN_KEY ? key : `${key.slice(0, SHOWN_KEY)}…`;
  return exampleText(shown, rows, (score) => String(Number(score.toPrecision(4))));
}

function wholeExample({ key, rows }: RepeatedKeyExample): string {
  return exampleText(key, rows, float32Text);
}

function exampleText(
  key: string,
  rows: RepeatedKeyExample['rows'],
  textOf: (score: number) => string,
): string {
  const where = rows.map(({ shard, pctr, pcvr }) => `${shard} (pCTR ${textOf(pctr)}, pCVR ${textOf(pcvr)})`);
  return `${key} in ${where.join(' and ')}`;
}

/** The shortest text that is this float32 and no other. */
function float32Text(score: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(score.toPrecision(digits));
    if (Math.fround(rounded) === score) return String(rounded);
  }
  return String(Number(score.toPrecision(9)));
}

/** A span of this partition whose rows another date has too: published, or in its input. */
export interface SpanElsewhere {
  readonly shard: string;
  readonly rows: number;
  /** Of the other date. */
  readonly partition: string;
}

const NAMED_SPANS = 3;

const REPEATED = {
  rows: 'rows were published there already',
  keys: 'keys were published there already',
  features: 'rows have the features and scores that were published there, under other keys',
  files: 'rows are in the same files there, byte for byte',
  inputKeys: 'rows have the keys of all rows there, in other files',
};

/** Of every other date that has spans in common with this one: how many rows those have. None is within bounds. */
export function judgeRepeatedContent(
  repeated: readonly SpanElsewhere[],
  compared: readonly string[],
  subject: keyof typeof REPEATED,
): Measurement[] {
  return compared.map((against) => {
    const spans = repeated.filter(({ partition }) => partition === against);
    const rows = spans.reduce((total, span) => total + span.rows, 0);
    const names = [...new Set(spans.map(({ shard }) => shard))];
    const more = names.length > NAMED_SPANS ? ` and ${names.length - NAMED_SPANS} more` : '';
    const where = names.length === 0 ? '' : `, of ${names.slice(0, NAMED_SPANS).join(', ')}${more}`;
    const reason = `${rows} ${REPEATED[subject]}${where}`;
    return { subject, found: rows, bound: 0, isWithin: rows === 0, against, reason };
  });
}

/** Readers join by these columns, so that all parts have the same ones, and the same as before. Found is how many parts differ. */
export function judgeKeySchema({ keyTypes }: Candidate, { own, previous }: Earlier): Measurement[] {
  const usual = [own, previous].flatMap((other) => {
    const types = other?.keyTypes[0];
    return other === undefined || types === undefined ? [] : [{ types, against: other.partition }];
  });
  const inside = keyTypes[0] === undefined ? [] : [{ types: keyTypes[0], against: 'its first part' }];
  return [...inside, ...usual].map(({ types, against }) => {
    const expected = textOf(types);
    const other = keyTypes.filter((each) => textOf(each) !== expected);
    const first = other[0];
    const reason = first === undefined ? `keys ${expected}` : `keys ${textOf(first)}, and ${expected} there`;
    return { subject: '', found: other.length, bound: 0, isWithin: other.length === 0, against, reason };
  });
}

function textOf(types: readonly KeyType[]): string {
  return types.map(({ name, type }) => `${name}: ${type}`).join(', ');
}
