/*
 * What is used of WebAssembly here. Node's types have none of it, and a browser's would bring along all of the DOM.
 */

/** Memory of all threads. */
export interface SharedMemory {
  /** All of it at present. After `grow` there is a larger one; older ones stay valid. */
  readonly buffer: SharedArrayBuffer;
  /** Adds pages at the end. @returns how many there were, @throws RangeError when it can't */
  grow(pages: number): number;
}

/** Of int32 numbers, or none. */
type WebAssemblyFunction = (...values: number[]) => number | undefined;

interface WebAssemblyApi {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: true;
  }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports?: {
      readonly [module: string]: {
        readonly [name: string]: SharedMemory | { readonly buffer: ArrayBuffer } | WebAssemblyFunction;
      };
    },
  ) => { readonly exports: object };
}

export const { Memory, Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi })
  .WebAssembly;
