import { closeDescriptors, descriptorsLeft, openDescriptors } from "./descriptors.ts";
import { type Nanoseconds, NS_PER_MS } from "../base/mod.ts";

/**
 * The number of descriptors in the reserve: enough for a few probes at the same time, a name lookup, and reading the
 * configuration.
 */
const RESERVE = 16;

/**
 * The number of descriptors that a client's next try may need: for an accept, a connect, and a lookup of the
 * backend's name.
 */
const PER_TRY = 4;

/** After this time, a try that was allowed has opened its descriptors. */
const TRY: Nanoseconds = 100 * NS_PER_MS;

/**
 * Distributes the file descriptors that this process may open. A few are kept in reserve for probes, name lookups and
 * reloads, which must work even while clients have taken all others. After the limit was reached, a client may try
 * again only if there are descriptors besides the reserve.
 */
export class DescriptorLimit {
  #reserve: Deno.FsFile[] = [];
  /** The number of tries allowed since `#allowedAt`. The descriptors that they will open are still free. */
  #allowed = 0;
  #allowedAt: Nanoseconds = -Infinity;

  /** Fills the reserve, and returns whether it is full. */
  fill(): boolean {
    if (this.#reserve.length > 0) return true;
    const opened = openDescriptors(RESERVE);
    if (opened === undefined) return true;
    if (opened.length === RESERVE) this.#reserve = opened;
    else closeDescriptors(opened);
    return opened.length === RESERVE;
  }

  /** Closes the reserve, so that probes and reloads can use its descriptors. */
  release(): void {
    closeDescriptors(this.#reserve);
    this.#reserve = [];
  }

  /**
   * Whether a client may try again. If no client may, the reserve is released for the probes. It is not
   * released earlier, because connects of clients that are still in progress would take it.
   */
  mayTry(now: Nanoseconds): boolean {
    if (!this.fill()) return false;
    if (now - this.#allowedAt >= TRY) {
      this.#allowed = 0;
      this.#allowedAt = now;
    }
    const needed = PER_TRY * (this.#allowed + 1);
    if ((descriptorsLeft(needed) ?? needed) === needed) {
      this.#allowed++;
      return true;
    }
    if (this.#allowed === 0) this.release();
    return false;
  }
}
