import { LEAK_BOUND } from '../recipe/refuseLeaks.ts';
import type { ColumnSample } from './columnSample.ts';
import type { ColumnRoles } from './proposeRoles.ts';
import { isBinary } from './proposeRoles.ts';
import { tellsLabel } from './tellsLabel.ts';

/** What becomes of a column, with what was seen of it. */
export interface ColumnChoice {
  readonly column: ColumnSample;
  /** As in a contract; undefined for a column that is no feature. */
  readonly feature: Readonly<Record<string, unknown>> | undefined;
  /** Why, in words. */
  readonly reason: string;
}

/** Integers of so many values at most are categories whatever they are called. */
const MOST_CATEGORIES = 200;
const BUCKETS = 20;
const LONGEST_LIST = 50;
const ID_NAME =
  /(^|_)(ids?|code|type|category|cat|tab|slot|channel|region|country|city|hour|weekday|dow|user|item|video|product|ad|brand|author|shop|seller)\d*$|Ids?$|^(uid|pid|vid)$/i;
/** One of them lasts a page or a visit. */
const PASSING_NAME = /^(request|session|trace|event|impression|query|page_?view|visit)_?(id|uuid)$/i;
const MOMENT_NAME = /(^|_)(time|timestamp|ts|datetime|date)(_ms|_s|_us)?$/i;
const SCORE_NAME = /(^|_)(pctr|pcvr|pctcvr|ctr|cvr|score|prob|probability|prediction)$/i;
const OUTCOME_NAME =
  /^(is_?|has_?)?(click|clicked|like|liked|follow|followed|comment|commented|forward|forwarded|share|shared|hate|favou?rite|collect|convert|converted|conversion|purchase|purchased|bought|order|ordered|pay|paid|long_?view|engage|engaged)$|(^|_)(play|watch|stay|dwell|view)_?(time|duration|seconds|rate)(_ms)?$/i;

/** One choice per column, in the shard's order. */
export function proposeFeatures(columns: readonly ColumnSample[], roles: ColumnRoles): ColumnChoice[] {
  return columns.map((column) => ({ column, ...choose(column, roles) }));
}

function choose(column: ColumnSample, roles: ColumnRoles): Omit<ColumnChoice, 'column'> {
  const { click, conversion, keys } = roles;
  const no = (reason: string) => ({ feature: undefined, reason });
  const { name, counts, values, nulls, kind } = column;
  if (column.unreadable !== undefined) return no(`can't be read: ${column.unreadable}`);
  if (column === click) return no('label: click');
  if (column === conversion) return no('label: conversion');
  const known = values.length - nulls;
  if (known === 0) return no('null in every sampled row');
  if (kind === 'other') return no(`${column.type} is no type that a feature can have`);
  if (kind === 'time') return no('a moment never comes again; its hour or weekday, as integers, would do');
  const isKey = keys.includes(column);
  if (isKey && keys.length === 1) return no('row key: names the row, so no other row has it');
  if (counts.size === 1) return no(`has the one value ${show([...counts.keys()][0]!)}`);
  const share = counts.size / known;
  const isList = kind === 'integers' || kind === 'strings';
  if (PASSING_NAME.test(name)) return no('lasts a visit: tomorrow has others');
  if (!isList && kind !== 'float' && known > 100 && share > 0.9)
    return no('nearly every row has a value of its own');
  if (kind === 'integer' && MOMENT_NAME.test(name) && share > 0.2)
    return no('a moment, which never comes again');
  for (const label of [click, conversion]) {
    const { auc, isPartOf } = tellsLabel(column, label.values);
    if (auc !== null && Math.max(auc, 1 - auc) > LEAK_BOUND) {
      return no(`leaks: alone it tells ${label.name} with an AUC of ${auc.toFixed(3)}`);
    }
    if (isPartOf) return no(`leaks: where it is 1, ${label.name} always is, so it comes after it`);
  }
  if (SCORE_NAME.test(name)) return no("by its name it is another model's word, or the truth");
  if (OUTCOME_NAME.test(name)) return no('by its name it is known only after the impression');
  return featureOf(column, isKey);
}

function featureOf(column: ColumnSample, isKey: boolean): Omit<ColumnChoice, 'column'> {
  const { name, counts, kind, values } = column;
  const alsoKey = isKey ? ', row key too' : '';
  const distinct = `${counts.size} values${alsoKey}`;
  if (kind === 'integers' || kind === 'strings') {
    const lengths = values
      .flatMap((length) => (typeof length === 'number' ? [length] : []))
      .sort((a, b) => a - b);
    const usual = lengths[Math.floor(0.95 * (lengths.length - 1))] ?? 1;
    const maxLength = Math.min(LONGEST_LIST, Math.max(1, usual));
    return {
      feature: {
        kind: 'list',
        column: name,
        table: tableOf(kind === 'integers' ? 'int' : 'string'),
        maxLength,
        keep: 'first',
      },
      reason: `${distinct}, 95% of the lists hold at most ${usual}, the longest ${lengths.at(-1) ?? 0}`,
    };
  }
  if (kind === 'string') return { feature: categorical(name, 'string'), reason: distinct };
  const isCategory =
    kind === 'integer' && (isBinary(column) || counts.size <= MOST_CATEGORIES || ID_NAME.test(name));
  if (isCategory) return { feature: categorical(name, 'int'), reason: distinct };
  const numbers = [...counts.keys()].map(Number);
  return {
    feature: { kind: 'bucketed', column: name, buckets: Math.min(BUCKETS, Math.max(2, counts.size)) },
    reason: `${distinct} from ${show(least(numbers))} to ${show(most(numbers))}`,
  };
}

const categorical = (column: string, type: string) => ({ kind: 'categorical', column, table: tableOf(type) });
/** An id that was seen once can't be learned from. */
const tableOf = (type: string) => ({ type, vocabulary: { minCount: 2 } });
const least = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.min(a, b));
const most = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.max(a, b));

function show(value: string | number): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
}
