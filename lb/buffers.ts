/**
 * Buffers for relaying, in size classes. While a connection waits for bytes its buffer is pinned, so it
 * waits with a small one; a big one is only held while a stream fills it. Buffers are used again, because
 * zeroing fresh ones was a seventh of all CPU.
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
    return this.#free[sizeClass]!.pop() ?? this.#make(sizeClass);
  }

  /** Takes a buffer back. Whoever gives it must not touch it any more. */
  give(sizeClass: number, buffer: Uint8Array<ArrayBuffer>): void {
    this.#lent--;
    const free = this.#free[sizeClass]!;
    if (sizeClass < BIG || free.length < BIG_FREE_MAX) free.push(buffer);
  }

  /** A buffer of its own if big. Small ones are cut from slabs, as an ArrayBuffer costs 250 bytes. */
  #make(sizeClass: number): Uint8Array<ArrayBuffer> {
    const size = BUFFER_SIZES[sizeClass]!;
    if (sizeClass >= BIG) return new Uint8Array(size);
    const slab = new ArrayBuffer(SLAB_SIZE);
    for (let offset = size; offset < SLAB_SIZE; offset += size) {
      this.#free[sizeClass]!.push(new Uint8Array(slab, offset, size));
    }
    return new Uint8Array(slab, 0, size);
  }
}

/** In bytes, by size class. */
export const BUFFER_SIZES = [256, 4 * 1024, 128 * 1024] as const;

/** The first size class whose buffers are allocated one by one, and given up when many lie idle. */
const BIG = 2;
const BIG_FREE_MAX = 32;

const SLAB_SIZE = 64 * 1024;

/**
 * The size class for the next read, after a read of `count` bytes into a buffer of this class. A full
 * buffer means that there is more: the next read gets a larger one. Any other has emptied the socket: the
 * next read will wait, so it gets a small one.
 */
export function nextSizeClass(sizeClass: number, count: number): number {
  if (count === BUFFER_SIZES[sizeClass]) return Math.min(sizeClass + 1, BUFFER_SIZES.length - 1);
  return count <= BUFFER_SIZES[0] / 2 ? 0 : Math.min(sizeClass, 1);
}
