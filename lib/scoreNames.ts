/** The three scores of a row, as the model's outputs and the columns of a prediction file are called. */
export const SCORE_NAMES = ['pctr', 'pcvr', 'pctcvr'] as const;
