import type { DataType } from 'apache-arrow';
import type { RowKeyColumns } from '../arrow/predictionSchema.ts';
import { keyTexts } from '../arrow/rowKeyText.ts';
import { Ncs4cvrError } from '../base/errors.ts';
import { SCORE_NAMES, type ScoreName } from '../base/tasks.ts';
import { StringIndex } from '../features/stringIndex.ts';
import type { FoundState } from '../publish/findState.ts';
import type { ModelIdentity } from '../publish/modelIdentity.ts';
import { JoinedRows, SIDES } from './joinedRows.ts';
import type { Mover } from './movers.ts';
import { ABSENT } from './rankGroup.ts';
import type { RankingSummary } from './rankingSummary.ts';
import { joinKeysOf, type RowShare, readStateRows } from './readStateRows.ts';
import { RowRanking } from './rowRanking.ts';
import { type OverallShift, type PerScore, ShiftCounter } from './scoreShift.ts';
import { SliceCounter, type SliceShifts } from './sliceCounter.ts';

export interface DiffOptions {
  /** Row key whose equal values are ranked together, such as a user or a request; without it all rows are one group. */
  readonly group?: string;
  /** Row key by whose values the shift of the scores is told apart too. */
  readonly slice?: string;
  /** What rows are ranked by. */
  readonly rankBy: ScoreName;
  /** K of the top-K overlap, from 1. */
  readonly top: number;
  /** Rows that are named, at most. */
  readonly movers: number;
  /** Rows of both states together that one pass over the files holds, on average: bounds the memory. */
  readonly passRows?: number;
}

interface DiffedState {
  readonly root: string;
  /** Of the manifest. */
  readonly sha256: string;
  readonly model: ModelIdentity;
  readonly rows: number;
  /** Rows whose key is in the state more than once, but for the first of each: they are in nothing below. */
  readonly repeatedKeys: number;
}

/** What ranking from one state would change if it were done from the other. */
export interface StateDiff {
  readonly partition: string;
  readonly from: DiffedState;
  readonly to: DiffedState;
  readonly keys: readonly string[];
  readonly group: string | null;
  readonly rankBy: ScoreName;
  readonly rows: { readonly inBoth: number; readonly onlyFrom: number; readonly onlyTo: number };
  readonly shift: PerScore<OverallShift>;
  /** Null where no slices were asked for. */
  readonly slices: SliceShifts | null;
  readonly ranking: RankingSummary;
  readonly movers: readonly Mover[];
}

/**
 * Rows of both states that a pass holds, at about 100 bytes each while the tables grow. Ten million rows in both states are
 * four passes, each of which reads all files: 0.5 GB in all with groups, 0.9 GB without.
 */
const PASS_ROWS = 6_000_000;

/**
 * Joins two states by their row keys and compares scores and ranks, in as many passes over the files as memory asks for. A
 * group is held whole, and without a group the ranked score of all rows: 8 bytes a row, some 40 more while they are ranked.
 * @throws Ncs4cvrError DIFF_KEYS_DIFFER, DIFF_KEY_UNKNOWN for a group or slice that is no row key; those of the files
 */
export async function diffStates(
  from: FoundState,
  to: FoundState,
  { group, slice, rankBy, top, movers: moverCount, passRows = PASS_ROWS }: DiffOptions,
): Promise<StateDiff> {
  const keys = await joinKeysOf(from);
  for (const name of [group, slice]) refuseUnknownKey(keys, name, from);
  const order = joinOrderOf(keys, group);
  const shift = new ShiftCounter(true);
  const slices = slice === undefined ? undefined : { key: slice, counter: new SliceCounter() };
  const ranked = SCORE_NAMES.indexOf(rankBy);
  const { isGrouped, keysOf } = order;
  const ranking = new RowRanking({ isGrouped, ranked, top, moverCount, keysOf });
  const rows = { inBoth: 0, onlyFrom: 0, onlyTo: 0 };
  const repeated = { from: 0, to: 0 };
  const passes = Math.max(1, Math.ceil((from.manifest.rows + to.manifest.rows) / passRows));
  for (let pass = 0; pass < passes; pass++) {
    const { joined, groupCount } = await joinPass({ from, to }, keys, order, { pass, passes }, slices);
    for (const side of SIDES) repeated[side] += joined.repeated[side];
    countScores(joined, shift, slices?.counter, rows);
    ranking.add(joined, groupCount);
  }
  return {
    partition: from.partition,
    from: diffed(from, repeated.from),
    to: diffed(to, repeated.to),
    keys: keys.names,
    group: group ?? null,
    rankBy,
    rows,
    shift: shift.overall,
    slices: slices === undefined ? null : slices.counter.shifts(slices.key, typeOfKey(keys, slices.key)),
    ...ranking.finish(),
  };
}

/** In which order the row keys are read, so that the rows of one group are in one pass. */
interface JoinOrder {
  readonly columns: readonly string[];
  /** How many of the first columns decide which pass a row is in. */
  readonly decidingColumns: number;
  readonly isGrouped: boolean;
  /** A row's key, whose bytes are in this order, as text by the columns' names. */
  readonly keysOf: (key: Uint8Array) => Mover['keys'];
}

function joinOrderOf(keys: RowKeyColumns, group: string | undefined): JoinOrder {
  const { names } = keys;
  const columns = group === undefined ? names : [group, ...names.filter((name) => name !== group)];
  const types = columns.map((name) => typeOfKey(keys, name));
  return {
    columns,
    decidingColumns: group === undefined ? columns.length : 1,
    isGrouped: group !== undefined,
    keysOf: (key) => {
      const texts = keyTexts(key, types);
      return Object.fromEntries(names.map((name) => [name, texts[columns.indexOf(name)]!]));
    },
  };
}

function typeOfKey({ names, types }: RowKeyColumns, name: string): DataType {
  return types[names.indexOf(name)]!;
}

/** Reads from both states the rows that belong to a pass. */
async function joinPass(
  states: Readonly<Record<(typeof SIDES)[number], FoundState>>,
  keys: RowKeyColumns,
  { columns, decidingColumns, isGrouped }: JoinOrder,
  { pass, passes }: Pick<RowShare, 'pass' | 'passes'>,
  slices: { readonly key: string; readonly counter: SliceCounter } | undefined,
): Promise<{ readonly joined: JoinedRows; readonly groupCount: number }> {
  const joined = new JoinedRows();
  const groups = new StringIndex();
  for (const side of SIDES) {
    const share = { pass, passes, decidingColumns };
    await readStateRows(states[side], keys, columns, share, (scores, keyOf) => {
      const sliceKey = slices === undefined ? undefined : keyOf(slices.key);
      return ({ bytes, length }, decidingBytes, row) => {
        const place = {
          group: isGrouped ? groups.findOrAdd(bytes, 0, decidingBytes) : 0,
          slice: sliceKey === undefined ? 0 : slices!.counter.sliceOf(sliceKey, row),
        };
        joined.add(side, bytes, length, place, scores, row);
      };
    });
  }
  return { joined, groupCount: groups.size };
}

function refuseUnknownKey({ names }: RowKeyColumns, name: string | undefined, { root }: FoundState): void {
  if (name === undefined || names.includes(name)) return;
  throw new Ncs4cvrError('DIFF_KEY_UNKNOWN', 'scores can only be told apart by one of their row keys', {
    file: root,
    expected: names.join(' or '),
    found: name,
  });
}

/** Adds the rows of a pass to the counts of their scores, overall and by slice. */
function countScores(
  joined: JoinedRows,
  shift: ShiftCounter,
  slices: SliceCounter | undefined,
  rows: { inBoth: number; onlyFrom: number; onlyTo: number },
): void {
  for (let row = 0; row < joined.count; row++) {
    const [before, after] = SIDES.map((side) => joined[side].map((bits) => bits[row]!));
    const isIn = { from: before![0] !== ABSENT, to: after![0] !== ABSENT };
    for (const counter of [shift, slices?.counterAt(joined.slices[row]!)]) {
      if (counter === undefined) continue;
      if (isIn.from) counter.add('from', before!);
      if (isIn.to) counter.add('to', after!);
      if (isIn.from && isIn.to) counter.addChange(before!, after!);
    }
    if (!isIn.to) rows.onlyFrom++;
    else if (!isIn.from) rows.onlyTo++;
    else rows.inBoth++;
  }
}

function diffed({ root, sha256, manifest: { model, rows } }: FoundState, repeatedKeys: number): DiffedState {
  return { root, sha256, model, rows, repeatedKeys };
}
