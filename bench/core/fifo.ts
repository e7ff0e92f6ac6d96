/** A queue on a ring buffer: it allocates only when it grows. */
export class Fifo<T> {
  #items: (T | undefined)[] = new Array(64).fill(undefined);
  #start = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    if (this.#size === this.#items.length) this.#grow();
    this.#items[(this.#start + this.#size++) & (this.#items.length - 1)] = item;
  }

  /** The oldest item, which stays; undefined if there is none. */
  get first(): T | undefined {
    return this.#items[this.#start];
  }

  /** Removes the oldest item and returns it; undefined if there is none. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#items[this.#start];
    this.#items[this.#start] = undefined;
    this.#start = (this.#start + 1) & (this.#items.length - 1);
    this.#size--;
    return item;
  }

  #grow(): void {
    const { length } = this.#items;
    this.#items = Array.from(
      { length: 2 * length },
      (_, i) => i < this.#size ? this.#items[(this.#start + i) & (length - 1)] : undefined,
    );
    this.#start = 0;
  }
}
