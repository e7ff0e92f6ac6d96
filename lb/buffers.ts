/**
 * Buffers for relaying, in three sizes. While a connection waits for bytes its buffer is pinned, so an
 * idle or chatty one holds a small buffer; only a stream that keeps filling its buffer gets a big one.
 * Buffers are used again, because zeroing fresh ones was a seventh of all CPU.
 */
export class BufferPool {
  readonly #free: readonly Uint8Array<ArrayBuffer>[][] = BUFFER_SIZES.map(() => []);
  #lent = 0;

  /** Buffers that are out. */
  get lent(): number {
    return this.#lent;
  }

  /** Lends a buffer of the given size class, 0 being the smallest. Its content is whatever it was. */
  take(sizeClass: number): Uint8Array<ArrayBuffer> {
    this.#lent++;
    return this.#free[sizeClass]!.pop() ?? new Uint8Array(BUFFER_SIZES[sizeClass]!);
  }

  /** Takes a buffer back. Whoever gives it must not touch it any more. */
  give(sizeClass: number, buffer: Uint8Array<ArrayBuffer>): void {
    this.#lent--;
    const free = this.#free[sizeClass]!;
    if (free.length < FREE_MAX[sizeClass]!) free.push(buffer);
  }
}

/** In bytes, by size class. */
export const BUFFER_SIZES = [1024, 16 * 1024, 128 * 1024] as const;

/** How many to keep for later, by size class: 8 MB at the most. */
const FREE_MAX = [2048, 128, 32] as const;

/** The size class for the next read, after a read of `count` bytes into a buffer of this class. */
export function nextSizeClass(sizeClass: number, count: number): number {
  const size = BUFFER_SIZES[sizeClass]!;
  if (count === size) return Math.min(sizeClass + 1, BUFFER_SIZES.length - 1);
  const smaller = BUFFER_SIZES[sizeClass - 1];
  return smaller !== undefined && count <= smaller / 2 ? sizeClass - 1 : sizeClass;
}
