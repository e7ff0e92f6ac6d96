/** Limits the number of requests at the same time; others wait, first come, first served. */
export class Slots {
  readonly #limit: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a slot, now or in its turn. The caller must `release` it. */
  async take(): Promise<void> {
    if (this.#taken < this.#limit) {
      this.#taken++;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Gives the slot to the next request that waits. */
  release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken--;
    else next();
  }
}
