import { elementwiseOps } from './elementwiseOps.ts';
import { linearOps } from './linearOps.ts';
import type { OpDefinition, Value } from './opDefinition.ts';
import { shapeOps } from './shapeOps.ts';

/**
 * Every operation a model may be built of: forward beside backward, one row each. The gradient check walks over all rows,
 * so a new row needs a case in test/onnx/opCases.ts.
 */
export const opTable = { ...elementwiseOps, ...linearOps, ...shapeOps };

type OpTable = typeof opTable;
export type OpName = keyof OpTable;
export type OpInputs<Name extends OpName> = Parameters<OpTable[Name]['forward']>[1];
export type OpAttributes<Name extends OpName> =
  Parameters<OpTable[Name]['forward']> extends [unknown, unknown, infer Attributes]
    ? Attributes
    : Record<string, never>;

/** A row without its exact input and attribute types, for code that walks over recorded applications. */
export function opDefinition(op: OpName): OpDefinition<readonly Value[], unknown> {
  return opTable[op] as unknown as OpDefinition<readonly Value[], unknown>;
}
