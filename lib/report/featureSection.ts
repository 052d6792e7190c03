import { dataTable } from '../page/dataTable.ts';
import { decimalText, shareText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { intervalChart } from '../page/intervalChart.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import type { PartProfile } from '../profile/partProfile.ts';
import { populationStability, totalOf } from '../profile/populationStability.ts';

/** One feature now and among the rows that the model was chosen on; null where the model says nothing of those. */
interface ComparedFeature {
  readonly name: string;
  /** Share of the rows without a value, and of the values that training never saw. */
  readonly missing: number;
  readonly unseen: number;
  readonly missingBefore: number | null;
  readonly unseenBefore: number | null;
  readonly psi: number | null;
}

/** Features in one chart; all of them are in the table. */
const MOST_CHARTED = 15;

/** Missing and unseen values of every feature beside those of the model's validation rows, the one that moved most first. */
export function featureSection(profile: PartProfile, reference: ModelReference | undefined): Html {
  const features = compare(profile, reference);
  const moved = (now: number, before: number | null) => (before === null ? now : Math.abs(now - before));
  const charted = (which: 'missing' | 'unseen') =>
    features
      .map((feature) => ({ feature, change: moved(feature[which], feature[`${which}Before`]) }))
      .filter(({ change }) => change > 0)
      .sort((a, b) => b.change - a.change)
      .slice(0, MOST_CHARTED)
      .map(({ feature }) => intervalOf(feature.name, feature[which], feature[`${which}Before`]));
  const chart = (which: 'missing' | 'unseen', what: string) => {
    const rows = charted(which);
    if (rows.length === 0) {
      return reference === undefined
        ? html`<p>No feature has ${what}.</p>`
        : html`<p>No feature's share of ${what} has moved.</p>`;
    }
    const told =
      reference === undefined
        ? `the ${rows.length} features that have most of them.`
        : `the dot is here, the line reaches to the model's validation rows. The ${rows.length} features that moved most.`;
    return intervalChart({
      caption: `Share of ${what}: ${told}`,
      xName: `share of ${what}`,
      rows,
      numbers: undefined,
    });
  };
  return html`${reference === undefined && html`<p class="note">The bundle says nothing of its validation rows, or isn't there any more: nothing to compare with.</p>`}
${chart('missing', 'rows without a value')}
${chart('unseen', 'values that training never saw')}
${dataTable({
  caption:
    reference === undefined
      ? 'Every feature here'
      : 'Every feature here and among the validation rows, the one that moved most first',
  columns: [
    { title: 'feature' },
    ...['missing', 'missing in validation', 'unseen', 'unseen in validation', 'PSI'].map((title) => ({
      title,
      kind: 'number' as const,
    })),
  ],
  rows: features.map((feature) => [
    feature.name,
    shareText(feature.missing, 2),
    shareText(feature.missingBefore, 2),
    shareText(feature.unseen, 2),
    shareText(feature.unseenBefore, 2),
    decimalText(feature.psi),
  ]),
})}`;
}

function compare({ rows, features }: PartProfile, reference: ModelReference | undefined): ComparedFeature[] {
  const before = new Map(reference?.features.map((feature) => [feature.name, feature]));
  const share = (count: number, of: number) => (of === 0 ? 0 : count / of);
  const compared = features.map(({ name, values, missing, unseen, bins }): ComparedFeature => {
    const known = before.get(name);
    const isCounted =
      known !== undefined &&
      known.counts.length === bins.length &&
      totalOf(known.counts) > 0 &&
      totalOf(bins) > 0;
    return {
      name,
      missing: share(missing, rows),
      unseen: share(unseen, values),
      missingBefore: known === undefined ? null : share(known.missing, reference!.rows),
      unseenBefore: known === undefined ? null : share(known.unseen, known.values),
      psi: isCounted ? populationStability(bins, known.counts) : null,
    };
  });
  return compared.sort((a, b) => (b.psi ?? 0) - (a.psi ?? 0));
}

/** A dot alone where there is nothing to compare with. */
function intervalOf(name: string, now: number, before: number | null) {
  const other = before ?? now;
  return { name, low: Math.min(now, other), mean: now, high: Math.max(now, other) };
}
