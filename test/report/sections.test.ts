import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../lib/gates/verdict.ts';
import type { ModelReference } from '../../lib/profile/modelReference.ts';
import { populationStability } from '../../lib/profile/populationStability.ts';
import { lowestScoreOf, SCORE_BINS } from '../../lib/profile/scoreHistogram.ts';
import { featureSection } from '../../lib/report/featureSection.ts';
import { gateSection } from '../../lib/report/gateSection.ts';
import { scoreSection } from '../../lib/report/scoreSection.ts';
import { tableOf, textOf } from './readPage.ts';

const HISTORY =
  'The gravest verdict of each gate here and on the publications before, with the number behind it';

describe('the history of gates', () => {
  const verdict = (kind: Verdict['verdict'], subject: string, found: number, bound: number): Verdict => ({
    ...{ gate: 'calibration', subject, verdict: kind, found, bound },
    ...{ against: 'labels', reason: '' },
  });
  /** What a publication before is shown with. */
  const shown = (...verdicts: Verdict[]) =>
    tableOf(gateSection([], [{ partition: 'dt=1', sha256: 'abcdef', verdicts }]).text, HISTORY)[0]![2];

  it('has the number nearest to its bound of what has passed, whichever side of it is the right one', () => {
    const ratio = verdict('pass', 'pctr', 1.4, 1.5);
    const auc = verdict('pass', 'pcvr', 0.8, 0.5);
    expect(shown(auc, ratio)).toBe('pass 1.4 pctr');
    expect(shown(verdict('pass', 'pctr', 1.05, 1.5), verdict('pass', 'pcvr', 0.52, 0.5))).toBe(
      'pass 0.52 pcvr',
    );
  });

  it('has the number furthest beyond its bound of what has not, and passes over what has', () => {
    const passed = verdict('pass', 'pctr', 1.49, 1.5);
    const [near, far] = [verdict('block', 'pctr', 0.45, 0.5), verdict('block', 'pcvr', 0.2, 0.5)];
    expect(shown(passed, near, far)).toBe('block 0.2 pcvr');
    expect(shown(verdict('warn', 'a', 3, 1.5), verdict('warn', 'b', 0, 0.5))).toBe('warn 0 b');
    expect(shown(verdict('warn', 'a', 2, 0), verdict('warn', 'b', 3, 1.5))).toBe('warn 3 b');
  });
});

describe('scores', () => {
  const spread = (counts: Readonly<Record<number, number>>, mean: number | null) => {
    const all = { mean, counts: Array.from({ length: SCORE_BINS }, (_, bin) => counts[bin] ?? 0) };
    return { pctr: all, pcvr: all, pctcvr: all };
  };
  const named = [
    { name: 'dt=2', scores: spread({ 20: 30, 21: 50, 40: 20 }, 0.01) },
    { name: 'dt=1', scores: spread({ 21: 5, 45: 5 }, 0.02) },
    { name: 'dt=0', scores: spread({}, null) },
  ];
  const section = scoreSection(named, undefined).text;

  it('are drawn so that the areas of each are all of its rows: bins differ in width', () => {
    const caption =
      'How the rows are spread over pctr: a share for each octave, so that the area is what counts';
    const rows = tableOf(section, caption);
    // The last line is where the last bin ends.
    expect(rows).toHaveLength(45 - 20 + 2);
    const width = (bin: number) => Math.log2(lowestScoreOf(bin + 1) / lowestScoreOf(bin));
    const wanted: Record<number, number>[] = [
      { 20: 0.3, 21: 0.5, 40: 0.2 },
      { 21: 0.5, 45: 0.5 },
    ];
    for (const [series, has] of wanted.entries()) {
      const shares = rows.slice(0, -1).map((cells) => Number.parseFloat(cells[1 + series]!) / 100);
      const areas = shares.map((share, at) => share * width(20 + at));
      for (const [at, area] of areas.entries()) {
        expect(area).toBeCloseTo(has[20 + at] ?? 0, 3);
      }
    }
  });

  it('have their means, and how far others are from the first ones, which have no distance', () => {
    const means = tableOf(
      section,
      'Mean scores, and how far their spread is from that of the first line (PSI)',
    ).map((row) => row.slice(0, 4));
    const psi = populationStability(named[0]!.scores.pctr.counts, named[1]!.scores.pctr.counts);
    expect(psi).toBeGreaterThan(0.25);
    expect(means).toEqual([
      ['dt=2', '100', '0.01000', '—'],
      ['dt=1', '10', '0.02000', psi.toFixed(4)],
      ['dt=0', '0', '—', '—'],
    ]);
  });
});

describe('features', () => {
  const reference = {
    rows: 200,
    features: [
      { name: 'full', values: 100, missing: 100, unseen: 25, counts: [50, 25] },
      { name: 'lost', values: 200, missing: 0, unseen: 0, counts: [100, 100] },
    ],
  } as unknown as ModelReference;
  const profile = {
    ...{ rows: 40, slices: [] },
    features: [
      { name: 'full', values: 10, missing: 30, unseen: 1, bins: [3, 6] },
      { name: 'lost', values: 0, missing: 40, unseen: 0, bins: [0, 0] },
      { name: 'new', values: 40, missing: 0, unseen: 4, bins: [] },
    ],
  };

  it('have shares of rows and of values, here and before; one without a value has not stayed where it was', () => {
    const rows = tableOf(
      featureSection(profile, reference).text,
      'Every feature here and among the validation rows, the one that moved most first',
    );
    expect(rows).toEqual([
      ['full', '75.00%', '50.00%', '10.00%', '25.00%', populationStability([3, 6], [50, 25]).toFixed(4)],
      ['lost', '100.00%', '0.00%', '0.00%', '0.00%', '—'],
      ['new', '0.00%', '—', '10.00%', '—', '—'],
    ]);
  });

  it('are told of without a word of a comparison where there is none', () => {
    const text = textOf(featureSection(profile, undefined).text);
    expect(text).toContain('Share of rows without a value: the 2 features that have most of them.');
    expect(text).not.toMatch(/moved|the line reaches/);
  });
});
