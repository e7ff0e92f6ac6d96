import type { Connection } from "../../lib/io/mod.ts";
import type { Preamble } from "../relay/mod.ts";

const INITIAL_SIZE = 4 * 1024;
/** While a client waits, at most this many bytes are read from it; the rest stays in the kernel. */
const SIZE_MAX = 64 * 1024;

/**
 * Keeps a read pending on a client that waits for a backend, so that the balancer notices when the client leaves. The
 * bytes that were read go to the backend first.
 *
 * TCP does not distinguish a client that has left from one that has only finished sending and waits for an
 * answer. In the queue both count as gone, as with HAProxy's `option abortonclose`: nearly every client that
 * finishes while it waits has left, and its place in the queue would keep other clients waiting. Between two
 * connects only a failed read counts.
 */
export class EarlyReader {
  /** Called once when the client has finished or failed; set it again for each wait. */
  onEnd: (() => void) | undefined;
  readonly #client: Connection;
  #buffer = new Uint8Array(INITIAL_SIZE);
  #length = 0;
  #hasEnded = false;
  #hasFailed = false;
  #isTaken = false;
  /** The last read; undefined when the buffer is full. */
  #reading: Promise<Uint8Array | null> | undefined;

  constructor(client: Connection) {
    this.#client = client;
    this.#read();
  }

  /** Whether the client has finished or failed. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether a read of the client has failed: it has certainly left. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** Hands over the bytes that were read, and the pending read. Then it reads no more. */
  take(): Preamble {
    this.#isTaken = true;
    return { bytes: this.#buffer.subarray(0, this.#length), next: this.#reading };
  }

  #read(): void {
    const room = this.#buffer.subarray(this.#length);
    this.#reading = this.#client.read(room)
      .then((count) => count === null ? null : room.subarray(0, count));
    this.#reading.then((bytes) => this.#hasRead(bytes), () => this.#fail());
  }

  #hasRead(bytes: Uint8Array | null): void {
    if (this.#isTaken) return;
    if (bytes === null) return this.#end();
    this.#length += bytes.length;
    this.#reading = undefined;
    if (this.#length === SIZE_MAX) return;
    if (this.#length === this.#buffer.length) {
      const larger = new Uint8Array(SIZE_MAX);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#read();
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#end();
  }

  #end(): void {
    this.#hasEnded = true;
    this.onEnd?.();
  }
}
