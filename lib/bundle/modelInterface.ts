import { SCORE_NAMES } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';

/** An input or output tensor of model.onnx; null stands for the dynamic batch dimension B. */
export interface TensorSpec {
  readonly name: string;
  readonly elementType: 'int32' | 'float32';
  readonly shape: readonly (number | null)[];
}

export const SINGLE_ROWS = 'single_rows';
export const LIST_ROWS = 'list_rows';
export const LIST_WEIGHTS = 'list_weights';
export const DENSE = 'dense';

/** Inputs of model.onnx: the arrays of EncodedRows; one of zero width is left out. */
export function modelInputs(layout: FeatureLayout): TensorSpec[] {
  const specs: TensorSpec[] = [
    { name: SINGLE_ROWS, elementType: 'int32', shape: [null, layout.singles.length] },
    { name: LIST_ROWS, elementType: 'int32', shape: [null, layout.listWidth] },
    { name: LIST_WEIGHTS, elementType: 'float32', shape: [null, layout.listWidth] },
    { name: DENSE, elementType: 'float32', shape: [null, layout.denseWidth] },
  ];
  return specs.filter((spec) => spec.shape[1] !== 0);
}

/** Outputs of model.onnx: probabilities [B], pCTCVR = pCTR x pCVR. */
export function modelOutputs(): TensorSpec[] {
  return SCORE_NAMES.map((name) => ({ name, elementType: 'float32', shape: [null] }));
}
