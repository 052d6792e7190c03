import { SCORE_NAMES } from '../base/tasks.ts';
import type { FeatureLayout } from '../features/featureLayout.ts';
import { directWidth } from './directInput.ts';
import { type InputPlan, inputWidth, isDirectPlan } from './gatherPlan.ts';

/** An input or output tensor of a model; null stands for the dynamic batch dimension B. */
export interface TensorSpec {
  readonly name: string;
  readonly elementType: 'int32' | 'int64' | 'float32';
  readonly shape: readonly (number | null)[];
}

export const SINGLE_ROWS = 'single_rows';
export const LIST_ROWS = 'list_rows';
export const LIST_WEIGHTS = 'list_weights';
export const DENSE = 'dense';

/** Inputs of a bundle's model.onnx: what is gathered for it, or what an own model takes of encoded rows. */
export function plannedInputs(plan: InputPlan, layout: FeatureLayout): TensorSpec[] {
  if (isDirectPlan(plan)) {
    return plan.map((input) => ({
      name: input.name,
      elementType: input.elementType,
      shape: input.isFlat ? [null] : [null, directWidth(input, layout)],
    }));
  }
  return plan.map((input) => ({
    name: input.name,
    elementType: 'float32',
    shape: [null, inputWidth(input)],
  }));
}

/** Inputs of the plain graph: the arrays of EncodedRows; one of zero width is left out. @internal exported for tests */
export function plainInputs(layout: FeatureLayout): TensorSpec[] {
  const specs: TensorSpec[] = [
    { name: SINGLE_ROWS, elementType: 'int32', shape: [null, layout.singles.length] },
    { name: LIST_ROWS, elementType: 'int32', shape: [null, layout.listWidth] },
    { name: LIST_WEIGHTS, elementType: 'float32', shape: [null, layout.listWidth] },
    { name: DENSE, elementType: 'float32', shape: [null, layout.denseWidth] },
  ];
  return specs.filter((spec) => spec.shape[1] !== 0);
}

/** Outputs of a model that was trained here: probabilities [B], pCTCVR = pCTR x pCVR. */
export function modelOutputs(): TensorSpec[] {
  return SCORE_NAMES.map((name) => ({ name, elementType: 'float32', shape: [null] }));
}

/** What an own model must give: float32 [B] or [B, 1]. Their product is computed behind it, and other outputs aren't read. */
export const OWN_OUTPUTS = ['pctr', 'pcvr'] as const;
