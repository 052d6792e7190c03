import type { Tensor } from 'onnxruntime-node';
import { type AdamNames, adamNames } from '../onnx/adam.ts';
import { float32Tensor } from '../onnx/session.ts';

/** A parameter as it starts; its moments start at 0. */
export interface InitialParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** Copied. */
  readonly values: Float32Array;
}

/**
 * Parameters that the graph's Adam moves, with their moments. They live in the tensors that go into the graph and come
 * out of it: nothing is copied from step to step.
 */
export class AdamState {
  readonly #names: readonly AdamNames[];
  readonly #tensors: Record<string, Tensor> = {};

  constructor(parameters: readonly InitialParameter[]) {
    this.#names = parameters.map(({ name }) => adamNames(name));
    for (const [i, { shape, values }] of parameters.entries()) {
      const { parameter, firstMoment, secondMoment } = this.#names[i]!;
      this.#tensors[parameter] = float32Tensor(values.slice(), shape);
      this.#tensors[firstMoment] = float32Tensor(new Float32Array(values.length), shape);
      this.#tensors[secondMoment] = float32Tensor(new Float32Array(values.length), shape);
    }
  }

  /** What the graph is fed, by name. */
  get feeds(): Readonly<Record<string, Tensor>> {
    return this.#tensors;
  }

  /** Takes a step's results on. A graph that learns one task alone has none for the parameters of the other. */
  take(outputs: Readonly<Record<string, Tensor>>): void {
    for (const names of this.#names) {
      const next = outputs[names.nextParameter];
      if (next === undefined) continue;
      this.#tensors[names.parameter] = next;
      this.#tensors[names.firstMoment] = outputs[names.nextFirstMoment]!;
      this.#tensors[names.secondMoment] = outputs[names.nextSecondMoment]!;
    }
  }

  /** Values by name. Views. */
  get parameters(): ReadonlyMap<string, Float32Array> {
    return new Map(this.#names.map(({ parameter }) => [parameter, this.#read(parameter)]));
  }

  /** A parameter's second moment: the moving mean of its squared gradient. A view. */
  secondMoment(parameter: string): Float32Array {
    return this.#read(adamNames(parameter).secondMoment);
  }

  /** Parameters and moments by name. Views. */
  get state(): Readonly<Record<string, Float32Array>> {
    return Object.fromEntries(Object.keys(this.#tensors).map((name) => [name, this.#read(name)]));
  }

  /** @param state of the same parameters; copied */
  restore(state: Readonly<Record<string, Float32Array>>): void {
    for (const [name, values] of Object.entries(state)) {
      this.#tensors[name] = float32Tensor(values.slice(), this.#tensors[name]!.dims);
    }
  }

  #read(name: string): Float32Array {
    return this.#tensors[name]!.data as Float32Array;
  }
}
