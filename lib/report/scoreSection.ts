import { SCORE_NAMES, type ScoreName } from '../base/tasks.ts';
import { dataTable } from '../page/dataTable.ts';
import { COLOURS, seriesColour } from '../page/drawChart.ts';
import { countText, decimalText, shareText } from '../page/formatNumbers.ts';
import { type Html, html } from '../page/html.ts';
import { lineChart } from '../page/lineChart.ts';
import type { ModelReference } from '../profile/modelReference.ts';
import { populationStability, totalOf } from '../profile/populationStability.ts';
import { lowestScoreOf, SCORE_BINS } from '../profile/scoreHistogram.ts';

/** The scores of some rows, under the name that a reader knows them by. */
export interface NamedScores {
  readonly name: string;
  readonly scores: Readonly<
    Record<ScoreName, { readonly mean: number | null; readonly counts: readonly number[] }>
  >;
}

/** Means, and how the scores of these rows are spread beside those of others. The first ones are what the page is of. */
export function scoreSection(named: readonly NamedScores[], reference: ModelReference | undefined): Html {
  const all: readonly NamedScores[] =
    reference === undefined
      ? named
      : [...named, { name: "the model's validation rows", scores: reference.scores }];
  const distance = (counts: readonly number[], others: readonly number[]) =>
    totalOf(counts) === 0 || totalOf(others) === 0 ? null : populationStability(counts, others);
  return html`${dataTable({
    caption: 'Mean scores, and how far their spread is from that of the first line (PSI)',
    columns: [
      { title: 'of' },
      { title: 'rows', kind: 'number' },
      ...SCORE_NAMES.flatMap((name) => [
        { title: `mean ${name}`, kind: 'number' as const },
        { title: `PSI ${name}`, kind: 'number' as const },
      ]),
    ],
    rows: all.map(({ name, scores }, index) => [
      name,
      countText(totalOf(scores.pctr.counts)),
      ...SCORE_NAMES.flatMap((score) => [
        decimalText(scores[score].mean, 5),
        index === 0 ? '—' : decimalText(distance(named[0]!.scores[score].counts, scores[score].counts)),
      ]),
    ]),
  })}
${SCORE_NAMES.map((score) => histogram(score, all))}`;
}

const COLOURS_BY_PLACE = [seriesColour(0), seriesColour(1), COLOURS.muted];

function histogram(score: ScoreName, all: readonly NamedScores[]): Html {
  const counted = all.filter(({ scores }) => totalOf(scores[score].counts) > 0);
  const used = counted.flatMap(({ scores }) =>
    scores[score].counts.flatMap((count, bin) => (count > 0 ? [bin] : [])),
  );
  if (used.length === 0) return html``;
  const [first, last] = [Math.min(...used), Math.max(...used)];
  return lineChart({
    caption: `How the rows are spread over ${score}: a share for each octave, so that the area is what counts`,
    xName: `${score} (logarithmic)`,
    yName: 'share of the rows for each octave',
    isStepped: true,
    yRange: { min: 0 },
    formatX: (octave) => (octave <= FIRST_OCTAVE ? '0' : (2 ** octave).toPrecision(2)),
    formatY: (share) => shareText(share),
    series: counted.map(({ name, scores }, index) => {
      const { counts } = scores[score];
      const rows = totalOf(counts);
      const bins = Array.from({ length: last - first + 1 }, (_, at) => first + at);
      const points = bins.map((bin) => {
        const width = octaveOf(bin + 1) - octaveOf(bin);
        return [octaveOf(bin), counts[bin]! / rows / width] as const;
      });
      return {
        name,
        colour: COLOURS_BY_PLACE[index % COLOURS_BY_PLACE.length]!,
        // The last bin is drawn as wide as it is.
        points: [...points, [octaveOf(last + 1), points.at(-1)![1]] as const],
      };
    }),
  });
}

/** Where the drawing begins: bin 0 holds everything down to 0, and is drawn an octave wide. */
const FIRST_OCTAVE = -17;

/** The binary logarithm of a bin's lower end; beyond 1, which is the last bin's own, a quarter of an octave further. */
function octaveOf(bin: number): number {
  if (bin === 0) return FIRST_OCTAVE;
  return bin < SCORE_BINS ? Math.log2(lowestScoreOf(bin)) : 0.25;
}
