import type { RecordBatch } from 'apache-arrow';
import { SCORING_BATCH_ROWS, type ScoringSession } from '../bundle/scoringSession.ts';
import type { EncodedRows } from '../features/encodedRows.ts';
import type { FeatureEncoder } from '../features/featureEncoder.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';

/** What the scores of a row would be if one feature were missing in it. */
export interface AblatedFeature {
  readonly feature: string;
  readonly pctr: AblatedScore;
  readonly pcvr: AblatedScore;
}

interface AblatedScore {
  /** With the feature missing. */
  readonly whenMissing: number;
  /** That, less the row's score: negative where the feature's value raises the score. */
  readonly change: number;
}

/** Writes a feature's missing value into one row. */
type Eraser = (rows: EncodedRows, row: number) => void;

/**
 * Scores a row once for each feature, with that feature at the value that stands for missing, all others as they are.
 * @param scores the row's pctr and pcvr as they are
 * @returns the largest change of either score first
 */
export async function ablateFeatures(
  encoder: FeatureEncoder,
  session: ScoringSession,
  batch: RecordBatch,
  row: number,
  scores: { readonly pctr: number; readonly pcvr: number },
): Promise<AblatedFeature[]> {
  const erasers = erasersOf(encoder.layout);
  const ablated: AblatedFeature[] = [];
  for (let start = 0; start < erasers.length; start += SCORING_BATCH_ROWS) {
    const some = erasers.slice(start, start + SCORING_BATCH_ROWS);
    some.forEach(([, erase], at) => {
      encoder.encode(batch, row, row + 1, session.rows, at);
      erase(session.rows, at);
    });
    const { pctr, pcvr } = await session.score(some.length);
    some.forEach(([feature], at) => {
      const scoreOf = (whenMissing: number, score: number) => ({ whenMissing, change: whenMissing - score });
      ablated.push({
        feature,
        pctr: scoreOf(pctr[at]!, scores.pctr),
        pcvr: scoreOf(pcvr[at]!, scores.pcvr),
      });
    });
  }
  const size = ({ pctr, pcvr }: AblatedFeature) => Math.max(Math.abs(pctr.change), Math.abs(pcvr.change));
  return ablated.sort((a, b) => size(b) - size(a));
}

/** As the encoder writes a missing value: row 0 of a table, no list value, 0 with the flag beside it. */
function erasersOf(layout: FeatureLayout): [name: string, erase: Eraser][] {
  const { singles, lists, numerics, listWidth, denseWidth } = layout;
  return [
    ...singles.map(({ name, table }, index): [string, Eraser] => [
      name,
      ({ singleRows }, row) => {
        singleRows[row * singles.length + index] = table.rowStart;
      },
    ]),
    ...lists.map(({ name, position, feature }): [string, Eraser] => [
      name,
      ({ listRows, listWeights }, row) => {
        const from = row * listWidth + position;
        listRows.fill(0, from, from + feature.maxLength);
        listWeights.fill(0, from, from + feature.maxLength);
      },
    ]),
    ...numerics.map(({ name }, index): [string, Eraser] => [
      name,
      ({ dense }, row) => {
        dense[row * denseWidth + 2 * index] = 0;
        dense[row * denseWidth + 2 * index + 1] = 1;
      },
    ]),
  ];
}
