import { Instance, Module } from '../base/webAssembly.ts';
import { VALUE_KERNELS } from './valueKernels.ts';

/** Values of a call. */
export const CALL_VALUES = 4096;

/** What kernels/valueKernels.ts exports. */
interface ValueKernels {
  readonly hashIntegers: (
    count: number,
    seed: bigint,
    buckets: bigint,
    rowStart: number,
    endCount: number,
  ) => void;
  readonly hashTexts: ValueKernels['hashIntegers'];
  readonly transformNumbers: (
    count: number,
    min: number,
    max: number,
    isLog: number,
    mean: number,
    deviation: number,
    endCount: number,
  ) => number;
}

/** Memory of the kernels that encode values, as kernels/valueKernels.ts has it, and views of it. */
export interface ValueMemory {
  readonly kernels: ValueKernels;
  /** CALL_VALUES of 8 bytes: float64, or int64 as two halves each. */
  readonly numbers: Float64Array;
  readonly halves: Int32Array;
  /** What they become, CALL_VALUES of 4 bytes, and their bins. */
  readonly rows: Int32Array;
  readonly inputs: Float32Array;
  readonly bins: Uint8Array;
  /** Where bins end. */
  readonly idEnds: Int32Array;
  readonly inputEnds: Float32Array;
  /** Texts in place of values: one more than CALL_VALUES, and the bytes. */
  readonly offsets: Int32Array;
  readonly text: Uint8Array;
}

const RESULTS_START = 8 * CALL_VALUES;
const BINS_START = RESULTS_START + 4 * CALL_VALUES;
const ENDS_START = BINS_START + CALL_VALUES;
/** As many as a `BinCounter` has at most. */
const MOST_ENDS = 254;
const OFFSETS_START = 65_536;
const TEXT_START = 81_984;

let memory: ValueMemory | undefined;

/** One per thread: what a call leaves in it is valid until the next one. */
export function valueMemory(): ValueMemory {
  if (memory !== undefined) return memory;
  const { exports } = new Instance(new Module(Buffer.from(VALUE_KERNELS, 'base64')));
  const kernels = exports as ValueKernels & { readonly memory: { readonly buffer: ArrayBuffer } };
  const { buffer } = kernels.memory;
  memory = {
    kernels,
    numbers: new Float64Array(buffer, 0, CALL_VALUES),
    halves: new Int32Array(buffer, 0, 2 * CALL_VALUES),
    rows: new Int32Array(buffer, RESULTS_START, CALL_VALUES),
    inputs: new Float32Array(buffer, RESULTS_START, CALL_VALUES),
    bins: new Uint8Array(buffer, BINS_START, CALL_VALUES),
    idEnds: new Int32Array(buffer, ENDS_START, MOST_ENDS),
    inputEnds: new Float32Array(buffer, ENDS_START, MOST_ENDS),
    offsets: new Int32Array(buffer, OFFSETS_START, CALL_VALUES + 1),
    text: new Uint8Array(buffer, TEXT_START),
  };
  return memory;
}
