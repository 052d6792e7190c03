import type { Verdict } from '../gates/verdict.ts';
import { dataTable, folded } from '../page/dataTable.ts';
import { type Html, html } from '../page/html.ts';
import { badge, type Tone } from '../page/renderPage.ts';
import type { JudgedPublication } from './readPartition.ts';

const TONES: Readonly<Record<Verdict['verdict'], Tone>> = {
  ...{ block: 'bad', warn: 'warn', pass: 'good', skipped: 'neutral' },
};
/** The one that matters most first. */
const ORDER = ['block', 'warn', 'pass', 'skipped'] as const;

function verdictBadge(verdict: Verdict['verdict'], text: string = verdict): Html {
  return badge(TONES[verdict], text);
}

/** How many verdicts of each kind, the gravest first; those that there are none of are left out. */
export function countVerdicts(verdicts: readonly Verdict[]): string {
  const counts = ORDER.map((kind) => ({
    kind,
    count: verdicts.filter(({ verdict }) => verdict === kind).length,
  }));
  return (
    counts.flatMap(({ kind, count }) => (count === 0 ? [] : [`${count} ${kind}`])).join(', ') ||
    'nothing judged'
  );
}

/** The gravest verdict; undefined where nothing was judged. */
function worstVerdict(verdicts: readonly Verdict[]): Verdict['verdict'] | undefined {
  return ORDER.find((kind) => verdicts.some(({ verdict }) => verdict === kind));
}

/** Every verdict with its numbers, and those of the publications before beside them. */
export function gateSection(verdicts: readonly Verdict[], history: readonly JudgedPublication[]): Html {
  const loud = verdicts.filter(({ verdict }) => verdict === 'block' || verdict === 'warn');
  const quiet = verdicts.filter((verdict) => !loud.includes(verdict));
  const bad =
    loud.length === 0
      ? html`<p>No gate has blocked or warned.</p>`
      : verdictTable('Blocks and warnings', loud);
  return html`${verdicts.length === 0 ? html`<p>Nothing was judged: the gates are off, or the manifest was visible before.</p>` : bad}
${quiet.length > 0 && folded(`What passed or was skipped (${quiet.length})`, verdictTable('Passed and skipped', quiet))}
${history.length > 0 && historyTable(verdicts, history)}`;
}

function verdictTable(caption: string, verdicts: readonly Verdict[]): Html {
  return dataTable({
    caption,
    columns: [
      ...[{ title: 'gate' }, { title: 'of' }, { title: 'verdict' }],
      ...[
        { title: 'found', kind: 'number' as const },
        { title: 'bound', kind: 'number' as const },
      ],
      ...[{ title: 'against' }, { title: 'reason', kind: 'long' as const }],
    ],
    rows: verdicts.map(({ gate, subject, verdict, found, bound, against, reason }) => [
      gate,
      subject || 'the partition',
      verdictBadge(verdict),
      found ?? '—',
      bound ?? '—',
      against || '—',
      reason,
    ]),
  });
}

/** A row for each gate, a column for each publication, the newest first: its gravest verdict and the gravest number behind it. */
function historyTable(verdicts: readonly Verdict[], history: readonly JudgedPublication[]): Html {
  const columns = [{ partition: 'this one', sha256: '', verdicts }, ...history];
  const gates = [...new Set(columns.flatMap((column) => column.verdicts.map(({ gate }) => gate)))];
  return html`<h3>History</h3>
${dataTable({
  caption: 'The gravest verdict of each gate here and on the publications before, with the number behind it',
  columns: [
    { title: 'gate' },
    ...columns.map(({ partition, sha256 }) => ({
      title: sha256 === '' ? partition : `${partition} ${sha256.slice(0, 6)}`,
    })),
  ],
  rows: gates.map((gate) => [
    gate,
    ...columns.map((column) => gravest(column.verdicts.filter((verdict) => verdict.gate === gate))),
  ]),
})}`;
}

function gravest(verdicts: readonly Verdict[]): Html {
  const worst = worstVerdict(verdicts);
  if (worst === undefined) return html`—`;
  const of = verdicts.filter(({ verdict }) => verdict === worst);
  // Of many features, the one that comes nearest to its bound, or is furthest beyond it; bounds of 0 are no scale. A bound may be
  // the least as well as the most: what has passed is on the right side of it, but for chance, and the rest is not.
  const nearness = ({ found, bound }: Verdict) => {
    if (found === null || bound === null || bound === 0) return 0;
    const ratio = Math.abs(found / bound);
    return worst === 'pass' ? Math.min(ratio, 1 / ratio) : Math.max(ratio, 1 / ratio);
  };
  const first = of.reduce((best, each) => (nearness(each) > nearness(best) ? each : best));
  const of_ = first.subject === '' ? '' : ` ${first.subject}`;
  return html`${verdictBadge(worst)} ${first.found !== null && html`<span class="break">${first.found}${of_}</span>`}`;
}
