/**
 * While `run` runs, buffers can be detached as from Node 21 on, whatever Node this is: what is read of them after they were
 * given back shows.
 */
export async function withDetachingTransfer<Result>(run: () => Promise<Result>): Promise<Result> {
  if ('transfer' in ArrayBuffer.prototype) return run();
  const transfer = function (this: ArrayBuffer): ArrayBuffer {
    return structuredClone(this, { transfer: [this] });
  };
  Object.defineProperty(ArrayBuffer.prototype, 'transfer', { value: transfer, configurable: true });
  try {
    return await run();
  } finally {
    Reflect.deleteProperty(ArrayBuffer.prototype, 'transfer');
  }
}
