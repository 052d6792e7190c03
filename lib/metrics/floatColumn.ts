/** A float32 column that grows; appended arrays are copied. */
export class FloatColumn {
  #values = new Float32Array(1024);
  #size = 0;

  append(values: Float32Array): void {
    const end = this.#size + values.length;
    if (end > this.#values.length) {
      const larger = new Float32Array(Math.max(end, 2 * this.#values.length));
      larger.set(this.#values.subarray(0, this.#size));
      this.#values = larger;
    }
    this.#values.set(values, this.#size);
    this.#size = end;
  }

  /** A view, valid until the next append. */
  get values(): Float32Array {
    return this.#values.subarray(0, this.#size);
  }
}
