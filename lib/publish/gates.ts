import type { PartSpec } from './partSpec.ts';
import type { Publication } from './pointer.ts';
import type { Receipt } from './receipt.ts';

/** What a gate sees of a partition that is about to be published. */
export interface GateInput {
  /** What the input holds. */
  readonly specs: readonly PartSpec[];
  /** What was scored, in the same order. */
  readonly receipts: readonly Receipt[];
  /** What is visible now. */
  readonly previous: Publication | undefined;
}

/** Names what stands against publishing; nothing if all is well. */
export type Gate = (input: GateInput) => readonly string[];

/** Every row of the input is in exactly one part. Keys and the range of the scores were checked for every receipt. */
export const rowCountGate: Gate = ({ specs, receipts }) =>
  specs.flatMap((spec, index) => {
    const receipt = receipts[index]!;
    const isOf =
      receipt.inputUri === spec.inputUri &&
      receipt.inputVersion === spec.inputVersion &&
      receipt.firstRowGroup === spec.firstRowGroup &&
      receipt.endRowGroup === spec.endRowGroup;
    if (isOf && receipt.rows === spec.rows) return [];
    const name = `${spec.inputUri} row groups ${spec.firstRowGroup} to ${spec.endRowGroup}`;
    return [`${name}: expected ${spec.rows} rows, found ${receipt.rows} in ${receipt.uri}`];
  });

const DEFAULT_GATES: readonly Gate[] = [rowCountGate];

export function runGates(input: GateInput, gates: readonly Gate[] = DEFAULT_GATES): string[] {
  return gates.flatMap((gate) => gate(input));
}
