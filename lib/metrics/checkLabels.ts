import { Ncs4cvrError } from '../base/errors.ts';

/**
 * A diverged model is told here, instead of by a metric that looks like a bad one.
 * @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID unless the score is finite and the label in [0, 1]
 */
export function checkScoreAndLabel(score: number, label: number): void {
  if (!Number.isFinite(score)) throw invalidScore('a finite number', score);
  checkLabel(label);
}

/** @throws Ncs4cvrError METRIC_SCORE_INVALID, METRIC_LABEL_INVALID unless both are in [0, 1] */
export function checkProbabilityAndLabel(probability: number, label: number): void {
  // Written so that NaN fails too.
  if (!(probability >= 0 && probability <= 1)) throw invalidScore('a probability in [0, 1]', probability);
  checkLabel(label);
}

function checkLabel(label: number): void {
  if (!(label >= 0 && label <= 1)) {
    throw new Ncs4cvrError('METRIC_LABEL_INVALID', 'a label can not be measured', {
      expected: 'a number in [0, 1]',
      found: String(label),
    });
  }
}

function invalidScore(expected: string, found: number): Ncs4cvrError {
  return new Ncs4cvrError('METRIC_SCORE_INVALID', 'a score can not be measured', {
    expected,
    found: String(found),
  });
}
