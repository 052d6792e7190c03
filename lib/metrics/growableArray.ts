/** A growing array of 4-byte numbers: `float32` or `int32`. Up to twice the memory of its content. */
export class GrowableArray<T extends Float32Array | Int32Array> {
  #items: T;
  #length = 0;

  private constructor(items: T, length: number) {
    this.#items = items;
    this.#length = length;
  }

  static float32(): GrowableArray<Float32Array> {
    return new GrowableArray(new Float32Array(1024), 0);
  }

  static int32(): GrowableArray<Int32Array> {
    return new GrowableArray(new Int32Array(1024), 0);
  }

  get length(): number {
    return this.#length;
  }

  push(item: number): void {
    if (this.#length === this.#items.length) this.#reserve(this.#length + 1);
    this.#items[this.#length++] = item;
  }

  append(other: GrowableArray<T>): void {
    const items = other.view();
    this.#reserve(this.#length + items.length);
    this.#items.set(items, this.#length);
    this.#length += items.length;
  }

  /** The content, valid until the next push or append. */
  view(): T {
    return this.#items.subarray(0, this.#length) as T;
  }

  #reserve(capacity: number): void {
    if (capacity <= this.#items.length) return;
    const Items = this.#items.constructor as new (length: number) => T;
    const larger = new Items(Math.max(capacity, 2 * this.#items.length));
    larger.set(this.#items.subarray(0, this.#length));
    this.#items = larger;
  }
}
