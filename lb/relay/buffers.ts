/**
 * Buffers for relaying, in size classes. A connection that waits for bytes holds a small buffer; it holds a large one
 * only while a fast stream fills it. Buffers are reused, because filling new ones with zeros took a seventh of all
 * CPU time.
 */
export class BufferPool {
  readonly #free: readonly Uint8Array<ArrayBuffer>[][] = BUFFER_SIZES.map(() => []);
  readonly #lent = BUFFER_SIZES.map(() => 0);

  /** How many buffers are lent. */
  get lent(): number {
    return this.#lent.reduce((sum, count) => sum + count);
  }

  /**
   * Lends a buffer of a size class; 0 is the smallest. Its content is arbitrary. If too many buffers of the largest
   * class are lent, it lends one of the class below.
   */
  take(sizeClass: number): Uint8Array<ArrayBuffer> {
    const granted = sizeClass === LARGEST && this.#lent[LARGEST]! >= LARGEST_LENT_MAX
      ? sizeClass - 1
      : sizeClass;
    this.#lent[granted]!++;
    return this.#free[granted]!.pop() ?? this.#make(granted);
  }

  /** Takes a buffer back. Its former holder must not use it any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void {
    const sizeClass = sizeClassOf(buffer);
    this.#lent[sizeClass]!--;
    const free = this.#free[sizeClass]!;
    if (sizeClass < BIG || free.length * buffer.length < BIG_FREE_BYTES) free.push(buffer);
  }

  /**
   * A large buffer has an ArrayBuffer of its own. Small ones share slabs, because an ArrayBuffer costs 250
   * bytes.
   */
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

/** The sizes in bytes, by size class. With the largest class, a byte of a fast stream costs half as much. */
export const BUFFER_SIZES = [256, 4 * 1024, 128 * 1024, 512 * 1024] as const;

/** The first size class whose buffers are allocated one by one, and freed when many are idle. */
const BIG = 2;
/** For each of these classes, idle buffers up to this total size are kept. */
const BIG_FREE_BYTES = 4 * 1024 * 1024;

const LARGEST = BUFFER_SIZES.length - 1;
/** At most this many of the largest buffers are lent, because 32 MiB are enough for speed. */
export const LARGEST_LENT_MAX = 64;

const SLAB_SIZE = 64 * 1024;

/** The size class of a buffer that was lent. */
export function sizeClassOf({ length }: Uint8Array): number {
  return BUFFER_SIZES.indexOf(length as typeof BUFFER_SIZES[number]);
}

/**
 * The size class for the next read, after a read of `count` bytes into a buffer of this class. A full buffer means
 * that there is more data, so the next read gets a larger one. A buffer that is not full has emptied the socket: the
 * next read will wait, so it gets a small one.
 */
export function nextSizeClass(sizeClass: number, count: number): number {
  if (count === BUFFER_SIZES[sizeClass]) return Math.min(sizeClass + 1, LARGEST);
  return count <= BUFFER_SIZES[0] / 2 ? 0 : Math.min(sizeClass, 1);
}
