import { InferenceSession, Tensor } from 'onnxruntime-node';
import { messageOf, Ncs4cvrError } from '../base/errors.ts';

// ONNX Runtime 1.30 keeps a device id and usage events in ~/.cache/Microsoft and has code to upload them. It reads this
// variable when the process makes its first session. A thread has a copy of `process.env`, which ONNX Runtime doesn't see: a
// thread's first session comes after the main thread has loaded this module.
process.env.ORT_DISABLE_TELEMETRY ??= '1';

export interface SessionOptions {
  /** Threads of one run; default 1, the best rows per CPU second when several workers score side by side. */
  readonly threads?: number;
  /**
   * Compute with denormal numbers as if they were 0; default false. For training, where decaying Adam moments end as
   * denormals and slow every step down. ONNX Runtime obeys only the first session of the process, and sets the flag on
   * the thread that creates it, for JavaScript's arithmetic as well: scoring, where every worker must give the same
   * bits, leaves it off.
   */
  readonly flushDenormals?: boolean;
}

/**
 * Loads an .onnx file. A run blocks its thread, and its session holds native memory until `release`.
 * Throws GRAPH_INVALID, with ONNX Runtime's error as its cause.
 */
export async function createSession(
  bytes: Uint8Array,
  { threads = 1, flushDenormals = false }: SessionOptions = {},
): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      executionMode: 'sequential',
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      extra: {
        session: {
          set_denormal_as_zero: flushDenormals ? '1' : '0',
          // Idle threads must not burn the core another worker needs.
          intra_op: { allow_spinning: '0' },
          inter_op: { allow_spinning: '0' },
        },
      },
    });
  } catch (cause) {
    throw new Ncs4cvrError('GRAPH_INVALID', 'ONNX Runtime refuses the model', {
      found: messageOf(cause),
      cause,
    });
  }
}

/** A tensor over the array's own memory. */
export function float32Tensor(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, dims);
}

export function int64Tensor(values: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]);
}

/** A float32 tensor of shape []. */
export function scalarTensor(value: number): Tensor {
  return new Tensor('float32', Float32Array.of(value), []);
}

/** The elements of an output: the tensor's own memory. Throws GRAPH_OUTPUT_TYPE when it isn't a float32 output. */
export function float32Data(tensors: Readonly<Record<string, Tensor>>, name: string): Float32Array {
  const tensor = tensors[name];
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new Ncs4cvrError('GRAPH_OUTPUT_TYPE', `output '${name}' can't be read`, {
    expected: 'float32',
    found: tensor?.type ?? 'no such output',
  });
}
