import { formatCount, formatShare } from '../base/formatCount.ts';
import { SCORE_NAMES } from '../base/tasks.ts';
import type { StateDiff } from './diffStates.ts';
import type { Mover } from './movers.ts';

/** A table of a report, as text. */
export interface DiffSection {
  readonly title: string;
  /** What the numbers are. */
  readonly note: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A diff as tables, the same ones for a terminal and a page. */
export function diffSections(diff: StateDiff): DiffSection[] {
  return [
    states(diff),
    ranking(diff),
    shift(diff),
    quantiles(diff),
    ...(diff.slices === null ? [] : [slices(diff.slices)]),
    movers(diff),
  ];
}

function states({ from, to, rows }: StateDiff): DiffSection {
  const row = (name: string, { root, sha256, model, rows: count, repeatedKeys }: StateDiff['from']) => [
    name,
    model.version,
    sha256.slice(0, 12),
    formatCount(count),
    formatCount(name === 'from' ? rows.onlyFrom : rows.onlyTo),
    formatCount(repeatedKeys),
    root,
  ];
  return {
    title: 'States',
    note: `${formatCount(rows.inBoth)} rows are in both. Of rows with the same key, the first one counts.`,
    header: ['', 'model', 'manifest', 'rows', 'only here', 'repeated keys', 'root'],
    rows: [row('from', from), row('to', to)],
  };
}

function ranking({ ranking: found, group, rankBy }: StateDiff): DiffSection {
  const of = group === null ? 'all rows as one group' : `rows of the same ${group}`;
  return {
    title: `Ranking by ${rankBy}, of ${of}`,
    note: 'Over the groups with two rows or more in both states. Equal scores keep the order of the input.',
    header: ['', ''],
    rows: [
      ['groups', formatCount(found.groups)],
      [
        'groups only in from, only in to',
        `${formatCount(found.groupsOnlyFrom)}, ${formatCount(found.groupsOnlyTo)}`,
      ],
      ['groups compared', formatCount(found.comparedGroups)],
      ['groups whose order has changed', percent(found.changedShare)],
      ['groups with another first row', percent(found.otherFirstShare)],
      [`top-${found.top} overlap, mean`, percent(found.meanTopOverlap)],
      [`Kendall's tau-b, mean of ${formatCount(found.tauGroups)}`, decimal(found.meanTau)],
      ['rows with another place', percent(found.movedShare)],
      ['places moved, mean', decimal(found.meanPlaces)],
    ],
  };
}

function shift({ shift: found }: StateDiff): DiffSection {
  return {
    title: 'Score shift',
    note: 'Means and PSI over all rows of a state, changes over the rows in both.',
    header: ['score', 'mean from', 'mean to', 'PSI', 'mean change', 'mean size of change'],
    rows: SCORE_NAMES.map((name) => {
      const { from, to, psi, meanChange, meanAbsoluteChange } = found[name];
      return [name, ...[from.mean, to.mean, psi, meanChange, meanAbsoluteChange].map(decimal)];
    }),
  };
}

function quantiles({ shift: found }: StateDiff): DiffSection {
  return {
    title: 'Quantiles',
    note: 'To 0.2% of the value.',
    header: ['share', ...SCORE_NAMES.flatMap((name) => [`${name} from`, 'to', 'change'])],
    rows: found.pctr.quantiles.map(({ share }, place) => [
      percent(share),
      ...SCORE_NAMES.flatMap((name) => {
        const { from, to, change } = found[name].quantiles[place]!;
        return [from, to, change].map(decimal);
      }),
    ]),
  };
}

function slices({ key, values, otherValues }: NonNullable<StateDiff['slices']>): DiffSection {
  const others = otherValues === null ? 'Many other values' : `${formatCount(otherValues)} other values`;
  return {
    title: `Score shift by ${key}`,
    note: `The values with the most rows. ${others} are left out.`,
    header: [
      key,
      'rows from',
      'rows to',
      ...SCORE_NAMES.flatMap((name) => [`${name} mean from`, 'mean to', 'PSI']),
    ],
    rows: values.map(({ value, shift: found }) => [
      value ?? '(null)',
      formatCount(found.pctr.from.rows),
      formatCount(found.pctr.to.rows),
      ...SCORE_NAMES.flatMap((name) => {
        const { from, to, psi } = found[name];
        return [from.mean, to.mean, psi].map(decimal);
      }),
    ]),
  };
}

function movers({ movers: found, keys, group, rankBy }: StateDiff): DiffSection {
  const cells = ({ score, place }: Mover['from']) => [
    ...(place === null ? [] : [formatCount(place)]),
    decimal(score),
  ];
  const columns = (side: string) => [...(group === null ? [] : [`place ${side}`]), `${rankBy} ${side}`];
  return {
    title: 'Biggest movers',
    note:
      group === null
        ? `By the change of ${rankBy}.`
        : `By places within the same ${group}, then by the change of ${rankBy}.`,
    header: [...keys, ...columns('from'), ...columns('to')],
    rows: found.map((mover) => [
      ...keys.map((name) => mover.keys[name] ?? '(null)'),
      ...cells(mover.from),
      ...cells(mover.to),
    ]),
  };
}

function percent(share: number | null): string {
  return share === null ? '-' : formatShare(share);
}

function decimal(value: number | null): string {
  return value === null ? '-' : value.toFixed(5);
}
