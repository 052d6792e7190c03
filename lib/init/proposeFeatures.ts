import { DAY_MILLIS } from '../base/calendarDay.ts';
import { LEAK_BOUND } from '../recipe/refuseLeaks.ts';
import { type ColumnSample, isBinary, isIds, isListKind, PANDAS_INDEX, plainName } from './columnSample.ts';
import type { ColumnRoles } from './proposeRoles.ts';
import type { ShardSample } from './sampleShards.ts';
import { tellsLabel } from './tellsLabel.ts';

/** What becomes of a column, or of a part of its moments, with what was seen of it. */
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
const PASSING_NAME =
  /^(request|session|trace|event|impression|search|query|page_?view|visit|auction)_?(id|uuid)$/i;
const MOMENT_NAME = /(^|_)(time|timestamp|ts|datetime|date)(_ms|_s|_us)?$/i;
const PAST_NAME =
  /(^|_)(publish|creat|upload|releas|launch|list|sign_?up|regist|join|birth|born|install|first|since|start)/i;
/** Days in which each weekday comes twice. */
const FEWEST_DAYS = 14;
const SCORE_NAME = /(^|_)(pctr|pcvr|pctcvr|ctr|cvr|score|prob|probability|prediction)$/i;
const OUTCOME_NAME =
  /^(is_?|has_?)?(click|clicked|like|liked|follow|followed|comment|commented|forward|forwarded|share|shared|hate|favou?rite|collect|convert|converted|conversion|purchase|purchased|bought|order|ordered|pay|paid|long_?view|engage|engaged)$|(^|_)(play|watch|stay|dwell|view)_?(time|duration|seconds|rate)(_ms)?$/i;

/** In the shard's order; one choice per column, but for one of dates or timestamps, which may have several. */
export function proposeFeatures(
  { columns, days }: Pick<ShardSample, 'columns' | 'days'>,
  roles: ColumnRoles,
): ColumnChoice[] {
  const taken = new Set(columns.map(({ name }) => name));
  return columns.flatMap((column) => {
    const choice = outOfDate(column, days, roles) ?? choose(column, roles);
    const choices = choice === 'moment' ? momentFeatures(column, days, taken) : [choice];
    return choices.map((each) => ({ column, ...withoutAbsence(each, column) }));
  });
}

/** A column that tomorrow's shards don't have tells nothing of them, and one of the validation day alone was never learned. */
function outOfDate(column: ColumnSample, days: readonly string[], roles: ColumnRoles): Choice | undefined {
  const { span, absentShards } = column;
  const isRole = [roles.click.column, roles.conversion.column, ...roles.keys].includes(column);
  if (span === undefined || absentShards === 0 || days.length < 2 || isRole) return undefined;
  if (span.last !== span.newestSampled) {
    return no(`gone from the newest day: last seen on ${span.last}; renamed or dropped?`);
  }
  const isNew = span.first === days.at(-1);
  return isNew
    ? no(`new on ${span.first}, the day for validation, so nothing is learned of it; renamed?`)
    : undefined;
}

/** A feature whose column isn't in every shard may be missing. */
function withoutAbsence({ feature, reason }: Choice, { absentShards }: ColumnSample): Choice {
  if (feature === undefined || absentShards === 0) return { feature, reason };
  const seen = `${reason}; ${absentShards} of the sampled shards ${absentShards === 1 ? "doesn't" : "don't"} have the column`;
  return { feature: { ...feature, required: false }, reason: seen };
}

/** A name that a contract takes and no other feature has. @param taken gets it */
function freeName(wanted: string, taken: Set<string>): string {
  const plain = wanted.replace(/[^A-Za-z0-9_.-]+/g, '_').replace(/^(?=[^A-Za-z_])/, '_');
  let name = plain;
  for (let count = 2; taken.has(name); count++) name = `${plain}_${count}`;
  taken.add(name);
  return name;
}

type Choice = Omit<ColumnChoice, 'column'>;

const no = (reason: string): Choice => ({ feature: undefined, reason });

function choose(column: ColumnSample, roles: ColumnRoles): Choice | 'moment' {
  const { click, conversion, keys } = roles;
  const { counts, values, nulls, kind } = column;
  const name = plainName(column);
  if (column.unreadable !== undefined) return no(`can't be read: ${column.unreadable}`);
  const tasks = Object.entries({ click, conversion }).filter(([, role]) => role.column === column);
  if (tasks.length > 0) return no(`label: ${tasks.map(([task]) => task).join(' and ')}`);
  const known = values.length - nulls;
  if (known === 0) return no('null in every sampled row');
  if (column.type.startsWith('Struct')) return no('its fields are columns, by their paths');
  if (PANDAS_INDEX.test(column.name)) return no('the index of a pandas table: where a row stood in it');
  if (kind === 'other') {
    const advice = column.advice === undefined ? '' : `: ${column.advice}`;
    return no(`${column.type} is no type that a feature can have${advice}`);
  }
  if (kind === 'floats' && !isWhole(counts)) {
    return no(
      'numbers of a list are no ids: where the shard is written, make a column of each that matters, ' +
        `such as ${column.name}[1]`,
    );
  }
  const isKey = keys.includes(column);
  if (isKey && keys.length === 1) return no('row key: names the row, so no other row has it');
  if (counts.size === 1) return no(`has the one value ${show([...counts.keys()][0]!)}`);
  const share = counts.size / known;
  const isList = isListKind(kind);
  if (PASSING_NAME.test(name)) return no('lasts a visit: tomorrow has others');
  if (!isList && kind !== 'float' && kind !== 'time' && known > 100 && share > 0.9)
    return no('nearly every row has a value of its own');
  if (kind === 'integer' && MOMENT_NAME.test(name) && share > 0.2)
    return no('a moment, which never comes again');
  for (const label of [click, conversion]) {
    const { auc, isPartOf } = tellsLabel(column, label.values);
    if (auc !== null && Math.max(auc, 1 - auc) > LEAK_BOUND) {
      return no(`leaks: alone it tells ${label.column.name} with an AUC of ${auc.toFixed(3)}`);
    }
    if (isPartOf) return no(`leaks: where it is 1, ${label.column.name} always is, so it comes after it`);
  }
  if (SCORE_NAME.test(name)) return no("by its name it is another model's word, or the truth");
  if (OUTCOME_NAME.test(name)) return no('by its name it is known only after the impression');
  return kind === 'time' ? 'moment' : featureOf(column, isKey);
}

/** Ids that came through floats, such as those of pandas beside nulls. */
function isWhole(counts: ColumnSample['counts']): boolean {
  return [...counts.keys()].every((value) => Number.isSafeInteger(value));
}

/** An hour repeats every day, a weekday in two weeks of shards or of values, such as days of arrival; what was made before the row has an age. */
function momentFeatures(column: ColumnSample, days: readonly string[], taken: Set<string>): Choice[] {
  const { name, type, values } = column;
  const millis = values.flatMap((value) => (typeof value === 'number' ? [value] : []));
  if (PAST_NAME.test(plainName(column)) && days.length > 0) {
    const feature = {
      kind: 'bucketed',
      name: freeName(`${name}_age`, taken),
      column: name,
      buckets: BUCKETS,
      from: 'ageDays',
    };
    return [{ feature, reason: 'days up to the day of its folder' }];
  }
  const spannedDays = (most(millis) - least(millis)) / DAY_MILLIS + 1;
  const choices = (['hour', 'weekday'] as const).flatMap((part): Choice[] => {
    const isTold =
      part === 'hour' ? type.startsWith('Timestamp') : Math.max(days.length, spannedDays) >= FEWEST_DAYS;
    const seen = new Set(millis.map((each) => partOf(new Date(each), part)));
    if (!isTold || seen.size < 2) return [];
    const feature = { ...categorical(name, 'int'), name: freeName(`${name}_${part}`, taken), from: part };
    return [
      {
        feature,
        reason: `${seen.size} values${type.startsWith('Date') ? '' : ', in UTC; "from" takes a time zone'}`,
      },
    ];
  });
  return choices.length > 0
    ? choices
    : [no('a moment never comes again, and no hour or weekday of it does here')];
}

function partOf(time: Date, part: 'hour' | 'weekday'): number {
  return part === 'hour' ? time.getUTCHours() : time.getUTCDay();
}

function featureOf(column: ColumnSample, isKey: boolean): Choice {
  const { name, counts, kind, values } = column;
  const alsoKey = isKey ? ', row key too' : '';
  const distinct = `${counts.size} values`;
  if (isListKind(kind)) {
    const lengths = values
      .flatMap((length) => (typeof length === 'number' ? [length] : []))
      .sort((a, b) => a - b);
    const usual = lengths[Math.floor(0.95 * (lengths.length - 1))] ?? 1;
    const maxLength = Math.min(LONGEST_LIST, Math.max(1, usual));
    return {
      feature: {
        kind: 'list',
        column: name,
        table: tableOf(kind === 'strings' ? 'string' : 'int'),
        maxLength,
        keep: 'first',
      },
      reason: `${distinct}, 95% of the lists hold at most ${usual}, the longest ${lengths.at(-1) ?? 0}`,
    };
  }
  if (kind === 'string') return { feature: categorical(name, 'string'), reason: `${distinct}${alsoKey}` };
  const isNamedId = ID_NAME.test(plainName(column));
  const isCategory = kind === 'integer' && (isBinary(column) || counts.size <= MOST_CATEGORIES || isNamedId);
  if (isCategory) return { feature: categorical(name, 'int'), reason: `${distinct}${alsoKey}` };
  if (isNamedId && isIds(column)) {
    return { feature: categorical(name, 'int'), reason: `${distinct}, all of them whole numbers${alsoKey}` };
  }
  const numbers = [...counts.keys()].map(Number);
  return {
    feature: { kind: 'bucketed', column: name, buckets: Math.min(BUCKETS, Math.max(2, counts.size)) },
    reason: `${distinct} from ${show(least(numbers))} to ${show(most(numbers))}${alsoKey}`,
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
