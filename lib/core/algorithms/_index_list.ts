/** Before the oldest and after the youngest. An index has the place after its own. */
const END = 0;

/**
 * Indices in the order in which they were added. Each of them can be removed in O(1): `AgeList` for numbers. It has
 * no branch that depends on the added or removed index, and no object for the garbage collector.
 */
export class IndexList {
  /** The places of the neighbours. A place that is not in the list is its own neighbour. */
  #older = new Int32Array(1);
  #younger = new Int32Array(1);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The index that was added first; −1 if there is none. */
  get oldest(): number {
    return this.#younger[END]! - 1;
  }

  /** The index that was added after this one; −1 if it is the last. */
  after(index: number): number {
    return this.#younger[index + 1]! - 1;
  }

  /** Iterates from the oldest to the youngest. The current index may be removed during the iteration. */
  *[Symbol.iterator](): IterableIterator<number> {
    let index = this.oldest;
    while (index >= 0) {
      const next = this.after(index);
      yield index;
      index = next;
    }
  }

  /** Makes room for indices below this. */
  reserve(length: number): void {
    const { length: places } = this.#older;
    if (length < places) return;
    this.#older = Int32Array.from({ length: 2 * length }, (_, i) => this.#older[i] ?? i);
    this.#younger = Int32Array.from({ length: 2 * length }, (_, i) => this.#younger[i] ?? i);
  }

  /** Adds an index as the youngest. It must not be in the list. */
  add(index: number): void {
    const place = index + 1;
    const youngest = this.#older[END]!;
    this.#older[place] = youngest;
    this.#younger[place] = END;
    this.#younger[youngest] = place;
    this.#older[END] = place;
    this.#size++;
  }

  /** Removes an index, if it is in the list. */
  delete(index: number): void {
    const place = index + 1;
    const older = this.#older[place]!;
    const younger = this.#younger[place]!;
    this.#younger[older] = younger;
    this.#older[younger] = older;
    this.#older[place] = place;
    this.#younger[place] = place;
    this.#size -= Number(older !== place);
  }
}
