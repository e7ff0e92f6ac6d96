import type { Nanoseconds } from "../base/mod.ts";

/** The numbers of slots that a server has had. */
export class SlotHistory {
  /** Each number with the time from which it applied. */
  readonly #changes: { readonly at: Nanoseconds; readonly slots: number }[];

  constructor(slots: number) {
    this.#changes = [{ at: 0, slots }];
  }

  /** From now on, the server has this number of slots. */
  changed(now: Nanoseconds, slots: number): void {
    this.#changes.push({ at: now, slots });
  }

  /** The number of slots, averaged over a time. Infinity if it never changed and is unlimited. */
  mean(from: Nanoseconds, to: Nanoseconds): number {
    const changes = this.#changes;
    if (changes.length === 1) return changes[0]!.slots;
    const time = changes.reduce((sum, { at, slots }, i) => {
      const begins = Math.max(from, at);
      const ends = Math.min(to, changes[i + 1]?.at ?? Infinity);
      return ends > begins ? sum + slots * (ends - begins) : sum;
    }, 0);
    return time / (to - from);
  }
}
