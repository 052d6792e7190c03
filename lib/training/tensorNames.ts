import type { Task } from '../base/tasks.ts';

// What the training graph and the forward graph call their inputs and outputs; parameters and their Adam moments are
// called as networkShape.ts and adam.ts say. B rows in the batch, C of them clicked (at least 1), F fields of width E.

/** [B, F, E]: embeddings of the fields. */
export const FIELDS = 'fields';
/** Output [B, F, E]: gradient of the loss. */
export const FIELDS_GRADIENT = 'fields.gradient';
/** [B, 2N]: numeric features. */
export const DENSE_INPUT = 'dense';
/** Output [B, 1] of the forward graph: probabilities. */
export const predictionOutput = (task: Task): string => `${task}.p`;

/** [B, 1], or [C, 1] of the conversion loss beside the click loss. */
export const labelsInput = (task: Task): string => `${task}.labels`;
/** Of the shape of the labels: what each row counts. */
export const weightsInput = (task: Task): string => `${task}.weights`;
/** int64 [1]: C, how many rows from the front were clicked (at least 1; an unclicked one has weight 0). */
export const CLICKED_ROWS = 'clickedRows';
/** [B, 1]: click times conversion, for the CTCVR term. */
export const CTCVR_LABELS = 'ctcvr.labels';
/** [B, 1]: 0 for a clicked row whose conversion is unknown, equal for all others. */
export const CTCVR_WEIGHTS = 'ctcvr.weights';
/** Output, a scalar. */
export const lossOutput = (task: Task): string => `${task}.loss`;

// Of a trunk layer, all with the shape of its weight:

/** 1 for every connection that the task keeps, 0 for the others. */
export const maskInput = (task: Task, layer: number): string => `${task}.mask.${layer}`;
/** The score of every connection for a task, a parameter that the graph's Adam moves while masks are learned. */
export const scoreName = (task: Task, layer: number): string => `${task}.score.${layer}`;
/** Uniform noise in (0, 1). */
export const noiseInput = (task: Task, layer: number): string => `${task}.noise.${layer}`;
/** Moving mean of the product of both tasks' gradients of a connection's score. */
export const agreementName = (layer: number): string => `agreement.${layer}`;
export const nextAgreementName = (layer: number): string => `agreement.${layer}.next`;
/** A scalar: factor on the mean probability of a connection to be kept; 0 while the masks are sparse enough. */
export const DENSITY_PENALTY = 'densityPenalty';
